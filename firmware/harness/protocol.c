/* The UART command set of MLPerf Tiny (EEMBC), so that the official runner can drive this firmware.
 *
 * Commands end in '%', words are separated by blanks, every command is answered by lines and a final "m-ready":
 *
 *   name                 m-name-dut-[whycycles]
 *   profile              m-profile-[ULPMark for tinyML Firmware V0.0.1], m-model-[kws01]
 *   timestamp            m-lap-us-N
 *   db load N            m-[Expecting N bytes]; then `db HEX` any number of times, the last one answers m-load-done
 *   db print [N [OFF]]   m-buffer-hh-hh-... eight bytes to a line
 *   infer N [W]          W (10 unless given) inferences to warm up, then N between two time stamps, then the results
 *   results              m-results-[a,b,...] real values of all outputs
 *   help                 the list
 *
 * Extensions, which such a runner ignores: `wc id`, `wc layers`, `wc crc`, `wc reset` and more (extensions.c).
 * Errors are "e-[...]". The input is kept beside the arena and copied in before every inference, because a model may reuse
 * its input tensor's memory; the copy is inside the timed loop.
 */
#include "protocol.h"

#include <stddef.h>
#include <string.h>

#include "extensions.h"
#include "info.h"
#include "port.h"
#include "text.h"
#include "whycycles.h"

#define COMMAND_BYTES 160
#define PROFILE "ULPMark for tinyML Firmware V0.0.1"
#define DEFAULT_WARMUPS 10u
#define BUFFER_LINE 8u

/* A port without a marker pin has no such function. */
__attribute__((weak)) void wc_port_mark(int on);

void wc_mark(int on)
{
    if (wc_port_mark)
        wc_port_mark(on);
}

static uint32_t expected_bytes; /* announced by `db load`; 0: nothing announced */
static uint32_t loaded_bytes;

static void error(const char *text)
{
    wc_put("e-[");
    wc_put_quoted(text);
    wc_put("]\r\n");
}

static void timestamp(void)
{
    const uint32_t now = wc_port_micros();
    wc_put("m-lap-us-");
    wc_put_u32(now);
    wc_end();
}

static void db_load(char *rest)
{
    const char *const word = wc_word(&rest);
    uint32_t bytes;
    if (!word) {
        error("Command 'db load' requires the # of bytes");
        return;
    }
    if (!wc_parse_u32(word, &bytes) || bytes == 0) {
        error("Command 'db load' must be >0 bytes");
        return;
    }
    expected_bytes = 0;
    loaded_bytes = 0;
    if (bytes > wc_stimulus_bytes) {
        wc_put("e-[Supplied buffer size ");
        wc_put_u32(bytes);
        wc_put(" exceeds maximum of ");
        wc_put_u32(wc_stimulus_bytes);
        wc_put("]\r\n");
        return;
    }
    expected_bytes = bytes;
    wc_put("m-[Expecting ");
    wc_put_u32(bytes);
    wc_put(" bytes]\r\n");
}

static void db_hex(const char *digits)
{
    if (strlen(digits) & 1) {
        error("Insufficent number of hex digits"); /* the runner's spelling */
        return;
    }
    if (loaded_bytes >= expected_bytes) {
        error("No bytes expected: use 'db load N' first");
        return;
    }
    for (; *digits; digits += 2) {
        const int high = wc_hex_digit(digits[0]), low = wc_hex_digit(digits[1]);
        if (high < 0 || low < 0) {
            const char pair[3] = {digits[0], digits[1], 0};
            wc_put("e-[Invalid hex digit '");
            wc_put_quoted(pair);
            wc_put("']\r\n");
            return;
        }
        wc_stimulus[loaded_bytes++] = (uint8_t)(high << 4 | low);
        if (loaded_bytes == expected_bytes) {
            wc_put("m-load-done\r\n");
            return;
        }
    }
}

static void db_print(char *rest)
{
    uint32_t count = loaded_bytes, offset = 0;
    const char *word = wc_word(&rest);
    if (word && !wc_parse_u32(word, &count)) {
        error("Command 'db print' takes the # of bytes and an offset");
        return;
    }
    word = word ? wc_word(&rest) : 0;
    if (word && !wc_parse_u32(word, &offset)) {
        error("Command 'db print' takes the # of bytes and an offset");
        return;
    }
    if (offset > loaded_bytes)
        offset = loaded_bytes;
    if (count > loaded_bytes - offset)
        count = loaded_bytes - offset;
    for (uint32_t i = 0; i < count; ++i) {
        wc_put(i % BUFFER_LINE ? "-" : "m-buffer-");
        wc_put_hex8(wc_stimulus[offset + i]);
        if (i % BUFFER_LINE == BUFFER_LINE - 1 || i + 1 == count)
            wc_end();
    }
}

static void db(char *rest)
{
    const char *const word = wc_word(&rest);
    if (!word)
        error("Command 'db' requires a subcommand");
    else if (strcmp(word, "load") == 0)
        db_load(rest);
    else if (strcmp(word, "print") == 0)
        db_print(rest);
    else
        db_hex(word);
}

static void results(void)
{
    wc_put("m-results-[");
    for (uint32_t i = 0; i < wc_output_count; ++i)
        for (uint32_t k = 0; k < wc_outputs[i].bytes; ++k) {
            if (i || k)
                wc_put(",");
            wc_put_pico(wc_output_scales[i].scale_pico * (wc_outputs[i].data[k] - wc_output_scales[i].zero_point));
        }
    wc_put("]\r\n");
}

int wc_input_loaded(void)
{
    if (loaded_bytes == wc_stimulus_bytes)
        return 1;
    wc_put("e-[Input has ");
    wc_put_u32(loaded_bytes);
    wc_put(" bytes, expected ");
    wc_put_u32(wc_stimulus_bytes);
    wc_put("]\r\n");
    return 0;
}

void wc_place_input(void)
{
    const uint8_t *from = wc_stimulus;
    for (uint32_t i = 0; i < wc_input_count; from += wc_inputs[i++].bytes)
        memcpy(wc_inputs[i].data, from, wc_inputs[i].bytes);
}

int wc_infer_once(void)
{
    wc_place_input();
    wc_infer();
    return wc_status == 0;
}

/* 0 as soon as a layer fails; nothing is printed, because the caller may be taking the time. */
static int infer_times(uint32_t n)
{
    while (n--)
        if (!wc_infer_once())
            return 0;
    return 1;
}

static void report_failure(void)
{
    wc_put("e-[Layer ");
    wc_put_u32((uint32_t)wc_status - 1);
    wc_put(" failed]\r\n");
}

static void infer(char *rest)
{
    uint32_t n = 1, warmups = DEFAULT_WARMUPS;
    const char *word = wc_word(&rest);
    if (word && (!wc_parse_u32(word, &n) || n == 0)) {
        error("Inference iterations must be >0");
        return;
    }
    word = word ? wc_word(&rest) : 0;
    if (word && !wc_parse_u32(word, &warmups)) {
        error("Inference warmup must be >=0");
        return;
    }
    if (!wc_input_loaded())
        return;
    wc_put("m-warmup-start-");
    wc_put_u32(warmups);
    wc_end();
    if (!infer_times(warmups)) {
        report_failure();
        return;
    }
    wc_put("m-warmup-done\r\nm-infer-start-");
    wc_put_u32(n);
    wc_end();
    timestamp();
    wc_mark(1);
    const int fine = infer_times(n);
    wc_mark(0);
    timestamp();
    if (!fine) {
        report_failure();
        return;
    }
    wc_put("m-infer-done\r\n");
    results();
}

static void help(void)
{
    wc_put(PROFILE "\r\n\r\n"
           "help          : Print this information\r\n"
           "name          : Print the name of the device\r\n"
           "profile       : Print the firmware profile and the model\r\n"
           "timestamp     : Generate a timestamp\r\n"
           "db SUBCMD     : Manipulate the input buffer\r\n"
           "  load N      : Expect N bytes\r\n"
           "  HH[HH]*     : Load 8-bit hex byte(s) until N bytes\r\n"
           "  print [N [OFFSET]] : Print bytes of the buffer as hex\r\n"
           "infer N [W=10]: Execute N inferences after W warmup loops\r\n"
           "results       : Print the result vector\r\n"
           "wc crc        : Print checksums of code, weights and input\r\n"
           "wc id         : Print what was built, and the clock\r\n"
           "wc layers [N [W]] : N inferences after W warmup loops, cycles per layer\r\n"
           "wc loop [N [W]] : N inferences in one loop after W warmup loops, microseconds\r\n"
           "wc map        : Print where everything lies in memory\r\n"
           "wc output     : Print the raw output bytes as hex\r\n"
           "wc reset      : Restart\r\n"
           "wc stack      : Print the stack used so far\r\n");
}

static void execute(char *line)
{
    char *const word = wc_word(&line);
    if (!word)
        error("Empty command");
    else if (strcmp(word, "name") == 0)
        wc_put("m-name-dut-[whycycles]\r\n");
    else if (strcmp(word, "profile") == 0) {
        wc_put("m-profile-[" PROFILE "]\r\nm-model-[");
        wc_put(wc_runner_model);
        wc_put("]\r\n");
    } else if (strcmp(word, "timestamp") == 0)
        timestamp();
    else if (strcmp(word, "db") == 0)
        db(line);
    else if (strcmp(word, "infer") == 0)
        infer(line);
    else if (strcmp(word, "results") == 0)
        results();
    else if (strcmp(word, "help") == 0)
        help();
    else if (strcmp(word, "wc") == 0)
        wc_extension(line);
    else {
        wc_put("e-[Unknown command: ");
        wc_put_quoted(word);
        wc_put("]\r\n");
    }
    wc_put("m-ready\r\n");
}

void wc_serve(void)
{
    static char line[COMMAND_BYTES + 1];
    uint32_t length = 0;
    int too_long = 0;
    wc_paint_stack();
    wc_put("m-timestamp-mode-performance\r\n");
    timestamp();
    wc_put("m-init-done\r\nm-ready\r\n");
    for (;;) {
        const char c = wc_port_getc();
        if (c == '%') {
            line[length] = 0;
            if (too_long) {
                error("Command too long");
                wc_put("m-ready\r\n");
            } else
                execute(line);
            length = 0;
            too_long = 0;
        } else if (length == COMMAND_BYTES)
            too_long = 1;
        else
            line[length++] = c ? c : '?'; /* a zero would hide the rest of the line */
    }
}
