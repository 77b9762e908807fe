/* A lowered model as a program of the host: `check N`, `time WARM REPEATS`, `count WARM`, `machine BYTES`.
 *
 * check: reads N inputs, writes the outputs of each. time: reads one input, writes REPEATS times of one inference each (uint64, ns).
 * count: reads one input, runs WARM + 1 inferences; what watches counts the last one. machine: see probe.c. Exit code 0, 2 for words
 * that are not understood, 3 or 4 for the system, 5 where a kernel reported an error.
 */
#include <string.h>

#include "wc_probe.h"
#include "wc_system.h"
#include "whycycles.h"

enum { EXIT_USAGE = 2, EXIT_KERNEL = 5 };

/* Two different bodies, as identical functions may be merged, and what watches tells the markers apart by name. */
__attribute__((noinline, used)) void wc_layer_begin(void) { __asm volatile("# begin" ::: "memory"); }

__attribute__((noinline, used)) void wc_layer_end(void) { __asm volatile("# end" ::: "memory"); }

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    if (*text == '\0') {
        wc_exit(EXIT_USAGE);
    }
    for (; *text; ++text) {
        if (*text < '0' || *text > '9') {
            wc_exit(EXIT_USAGE);
        }
        value = value * 10 + (uint64_t)(*text - '0');
    }
    return value;
}

static size_t size_of_inputs(void)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < wc_input_count; ++i) {
        bytes += wc_inputs[i].bytes;
    }
    return bytes;
}

/* An inference uses its inputs up. */
static void place(const uint8_t *input)
{
    for (uint32_t i = 0; i < wc_input_count; ++i) {
        memcpy(wc_inputs[i].data, input, wc_inputs[i].bytes);
        input += wc_inputs[i].bytes;
    }
}

static void infer(const uint8_t *input)
{
    place(input);
    wc_infer();
    if (wc_status != 0) {
        wc_exit(EXIT_KERNEL);
    }
}

static void check(uint8_t *input, size_t bytes, uint64_t inputs)
{
    for (; inputs; --inputs) {
        wc_read_all(input, bytes);
        infer(input);
        for (uint32_t i = 0; i < wc_output_count; ++i) {
            wc_write_all(wc_outputs[i].data, wc_outputs[i].bytes);
        }
    }
}

static void timed(const uint8_t *input, uint64_t warm, uint64_t repeats)
{
    uint64_t *const times = wc_map(repeats * sizeof *times + 1);
    for (uint64_t i = 0; i < warm; ++i) {
        infer(input);
    }
    for (uint64_t i = 0; i < repeats; ++i) {
        place(input);
        const uint64_t before = wc_now_ns();
        wc_infer();
        times[i] = wc_now_ns() - before;
    }
    wc_write_all(times, repeats * sizeof *times);
}

int wc_main(int count, char **words)
{
    const char *const what = count > 1 ? words[1] : "";
    if (strcmp(what, "machine") == 0 && count == 3) {
        wc_probe_machine(number(words[2]));
        return 0;
    }
    const size_t bytes = size_of_inputs();
    uint8_t *const input = wc_map(bytes + 1);
    if (strcmp(what, "check") == 0 && count == 3) {
        check(input, bytes, number(words[2]));
        return 0;
    }
    if (strcmp(what, "time") == 0 && count == 4) {
        wc_read_all(input, bytes);
        timed(input, number(words[2]), number(words[3]));
        return 0;
    }
    if (strcmp(what, "count") == 0 && count == 3) {
        wc_read_all(input, bytes);
        for (uint64_t left = number(words[2]) + 1; left; --left) {
            infer(input);
        }
        return 0;
    }
    return EXIT_USAGE;
}
