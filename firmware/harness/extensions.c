/* Commands beyond MLPerf Tiny's. Answers start with "m-wc-".
 *
 *   wc id        m-wc-KEY-[VALUE] for every fact about the build
 *   wc layers    one inference: m-wc-layer-[INDEX,CYCLES,NAME] per layer, then m-wc-inference-[CYCLES]
 *   wc map       m-wc-map-[PART,ADDRESS,BYTES]
 *   wc output    m-wc-output-[INDEX,OFFSET,HEX], 32 bytes to a line: the raw bytes, for bit-exact comparison
 *   wc stack     m-wc-stack-[USED,RESERVED] in bytes, deepest use since start-up
 */
#include "extensions.h"

#include <string.h>

#include "cycles.h"
#include "info.h"
#include "text.h"
#include "whycycles.h"

#define PAINT 0xA5C3A5C3u
#define OUTPUT_LINE 32u

/* Bounds of the parts of the image, from the linker script. */
extern uint32_t wc_stack_bottom[], wc_stack_top[];
extern char wc_text_start[], wc_text_end[], wc_constants_start[], wc_constants_end[], wc_weights_start[], wc_weights_end[];
extern char wc_data_start[], wc_data_end[], wc_bss_start[], wc_bss_end[], wc_arena_start[], wc_arena_end[];

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

static void id(void)
{
    for (uint32_t i = 0; i < wc_fact_count; ++i) {
        wc_put("m-wc-");
        wc_put(wc_facts[i].key);
        wc_put("-[");
        wc_put_quoted(wc_facts[i].value);
        wc_put("]\r\n");
    }
}

static void map(void)
{
    const struct {
        const char *part, *start, *end;
    } parts[] = {
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

static void output(void)
{
    for (uint32_t i = 0; i < wc_output_count; ++i)
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

/* Whether the core has a cycle counter that runs; starts it. */
static int cycles_start(void)
{
#if WC_HAS_CYCLES
    WC_DEMCR |= 1u << 24; /* TRCENA */
    WC_DWT_LAR = 0xC5ACCE55u; /* Cortex-M7 locks the unit against software */
    WC_DWT_CTRL |= 1u; /* CYCCNTENA */
    const uint32_t before = WC_DWT_CYCCNT;
    for (volatile int i = 0; i < 16; ++i)
        ;
    return WC_DWT_CYCCNT != before;
#else
    return 0;
#endif
}

static void layers(void)
{
    if (!cycles_start()) {
        wc_put("e-[This core has no cycle counter]\r\n");
        return;
    }
    if (!wc_input_loaded())
        return;
    wc_cycle_log = wc_cycle_stamps;
    const uint32_t before = wc_cycles();
    const int fine = wc_infer_once();
    const uint32_t total = wc_cycles() - before;
    wc_cycle_log = 0;
    if (!fine) {
        wc_put("e-[A layer failed]\r\n");
        return;
    }
    for (uint32_t i = 0; i < wc_layer_count; ++i) {
        wc_put("m-wc-layer-[");
        wc_put_u32(i);
        wc_put(",");
        wc_put_u32(wc_cycle_stamps[2 * i + 1] - wc_cycle_stamps[2 * i]);
        wc_put(",");
        wc_put_quoted(wc_layer_names[i]);
        wc_put("]\r\n");
    }
    wc_put("m-wc-inference-[");
    wc_put_u32(total);
    wc_put("]\r\n");
}

void wc_extension(char *rest)
{
    const char *const word = wc_word(&rest);
    if (!word)
        wc_put("e-[Command 'wc' requires a subcommand]\r\n");
    else if (strcmp(word, "id") == 0)
        id();
    else if (strcmp(word, "layers") == 0)
        layers();
    else if (strcmp(word, "map") == 0)
        map();
    else if (strcmp(word, "output") == 0)
        output();
    else if (strcmp(word, "stack") == 0)
        stack();
    else {
        wc_put("e-[Unknown command: wc ");
        wc_put_quoted(word);
        wc_put("]\r\n");
    }
}
