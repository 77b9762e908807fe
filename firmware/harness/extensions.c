/* Commands beyond MLPerf Tiny's. Answers start with "m-wc-".
 *
 *   wc id              m-wc-KEY-[VALUE] for every fact about the build, then about the clock: clock-hz, clock-source, clock-problem
 *   wc layers [N [W]]  m-wc-layer-[INDEX,NAME] per layer, then N (1) inferences after W (0) to warm up:
 *                      m-wc-counter-[cycles] or, where no counter runs, m-wc-counter-[us]; m-wc-marker-[TICKS] that two markers with
 *                      nothing between them count; per inference m-wc-run-[TOTAL,LAYER0,LAYER1,...,SUM], layers with what a marker counts, SUM
 *                      of the marker and all before it modulo 2^32.
 *                      Up to eight inferences run back to back; one that does not count precedes every further eight, because
 *                      printing fills the caches with other things
 *   wc loop [N [W]]    N inferences in one loop as `infer` times them: m-wc-loop-[N,MICROSECONDS,SUM], SUM as above
 *   wc map             m-wc-map-[PART,ADDRESS,BYTES]
 *   wc crc             m-wc-crc-[PART,CRC32] of what must be as it was built (code, constants, weights) and of the input
 *   wc output          m-wc-output-[INDEX,OFFSET,HEX], 32 bytes to a line: the raw bytes, for bit-exact comparison; then
 *                      m-wc-crc-[output,CRC32] over all of them
 *   wc stack           m-wc-stack-[USED,RESERVED] in bytes, deepest use since start-up
 *   wc reset           restarts; the answer is the announcement
 */
#include "extensions.h"

#include <string.h>

#include "info.h"
#include "port.h"
#include "text.h"
#include "timing.h"
#include "whycycles.h"

#define PAINT 0xA5C3A5C3u
#define OUTPUT_LINE 32u

/* Bounds of the parts of the image, from the linker script. */
extern uint32_t wc_stack_bottom[], wc_stack_top[];
extern char wc_text_start[], wc_text_end[], wc_constants_start[], wc_constants_end[], wc_weights_start[], wc_weights_end[];
extern char wc_data_start[], wc_data_end[], wc_bss_start[], wc_bss_end[], wc_arena_start[], wc_arena_end[];

typedef struct {
    const char *part, *start, *end;
} part_t;

void wc_paint_stack(void)
{
    /* volatile, and well below this frame: nothing alive is overwritten */
    uint32_t *const here = (uint32_t *)__builtin_frame_address(0) - 32;
    for (volatile uint32_t *p = wc_stack_bottom; p < here; ++p)
        *p = PAINT;
}

static void stack(void)
{
    const uint32_t *p = wc_stack_bottom;
    while (p < wc_stack_top && *p == PAINT)
        ++p;
    wc_put("m-wc-stack-[");
    wc_put_u32((uint32_t)((const char *)wc_stack_top - (const char *)p));
    wc_put(",");
    wc_put_u32((uint32_t)((const char *)wc_stack_top - (const char *)wc_stack_bottom));
    wc_put("]\r\n");
}

static void fact(const char *key, const char *value)
{
    wc_put("m-wc-");
    wc_put(key);
    wc_put("-[");
    wc_put_quoted(value);
    wc_put("]\r\n");
}

static void id(void)
{
    for (uint32_t i = 0; i < wc_fact_count; ++i)
        fact(wc_facts[i].key, wc_facts[i].value);
    wc_put("m-wc-clock-hz-[");
    wc_put_u32(wc_port_clock_hz());
    wc_put("]\r\n");
    fact("clock-source", wc_port_clock_source());
    if (wc_port_clock_problem())
        fact("clock-problem", wc_port_clock_problem());
}

static void map(void)
{
    const part_t parts[] = {
        {"code", wc_text_start, wc_text_end},       {"constants", wc_constants_start, wc_constants_end},
        {"weights", wc_weights_start, wc_weights_end}, {"data", wc_data_start, wc_data_end},
        {"bss", wc_bss_start, wc_bss_end},          {"arena", wc_arena_start, wc_arena_end},
        {"stack", (const char *)wc_stack_bottom, (const char *)wc_stack_top},
    };
    for (uint32_t i = 0; i < sizeof parts / sizeof parts[0]; ++i) {
        wc_put("m-wc-map-[");
        wc_put(parts[i].part);
        wc_put(",");
        wc_put_hex32((uint32_t)(uintptr_t)parts[i].start);
        wc_put(",");
        wc_put_u32((uint32_t)(parts[i].end - parts[i].start));
        wc_put("]\r\n");
    }
}

/* The CRC-32 of zip and Ethernet, of what follows something whose CRC-32 is `crc`. */
static uint32_t crc32(uint32_t crc, const char *from, const char *end)
{
    crc = ~crc;
    for (const char *p = from; p < end; ++p) {
        crc ^= (uint8_t)*p;
        for (int bit = 0; bit < 8; ++bit)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void put_crc(const char *part, uint32_t crc)
{
    wc_put("m-wc-crc-[");
    wc_put(part);
    wc_put(",");
    wc_put_hex32(crc);
    wc_put("]\r\n");
}

static void crc(void)
{
    const char *const stimulus = (const char *)wc_stimulus;
    const part_t parts[] = {
        {"code", wc_text_start, wc_text_end},
        {"constants", wc_constants_start, wc_constants_end},
        {"weights", wc_weights_start, wc_weights_end},
        {"input", stimulus, stimulus + wc_stimulus_bytes},
    };
    for (uint32_t i = 0; i < sizeof parts / sizeof parts[0]; ++i)
        put_crc(parts[i].part, crc32(0, parts[i].start, parts[i].end));
}

static void output(void)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < wc_output_count; ++i) {
        const char *const data = (const char *)wc_outputs[i].data;
        crc = crc32(crc, data, data + wc_outputs[i].bytes);
        for (uint32_t k = 0; k < wc_outputs[i].bytes; ++k) {
            if (k % OUTPUT_LINE == 0) {
                wc_put("m-wc-output-[");
                wc_put_u32(i);
                wc_put(",");
                wc_put_u32(k);
                wc_put(",");
            }
            wc_put_hex8((uint8_t)wc_outputs[i].data[k]);
            if (k % OUTPUT_LINE == OUTPUT_LINE - 1 || k + 1 == wc_outputs[i].bytes)
                wc_put("]\r\n");
        }
    }
    put_crc("output", crc);
}

void wc_extension(char *rest)
{
    const char *const word = wc_word(&rest);
    if (!word)
        wc_put("e-[Command 'wc' requires a subcommand]\r\n");
    else if (strcmp(word, "id") == 0)
        id();
    else if (strcmp(word, "layers") == 0)
        wc_time_layers(rest);
    else if (strcmp(word, "loop") == 0)
        wc_time_loop(rest);
    else if (strcmp(word, "map") == 0)
        map();
    else if (strcmp(word, "crc") == 0)
        crc();
    else if (strcmp(word, "output") == 0)
        output();
    else if (strcmp(word, "stack") == 0)
        stack();
    else if (strcmp(word, "reset") == 0)
        wc_port_reset();
    else {
        wc_put("e-[Unknown command: wc ");
        wc_put_quoted(word);
        wc_put("]\r\n");
    }
}
