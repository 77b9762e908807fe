/* Inferences timed in one loop, or one by one with a time per layer; commands and answers as extensions.c lists them. */
#include "timing.h"

#include "cycles.h"
#include "extensions.h"
#include "info.h"
#include "port.h"
#include "text.h"
#include "whycycles.h"

/* Whether the core has a cycle counter that runs; starts it. */
static int cycles_run(void)
{
#ifdef WC_PORT_CYCLES
    return wc_port_clock_problem() == 0;
#elif WC_HAS_CYCLES
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

/* What two markers with nothing between them count. */
static uint32_t empty_layer(void)
{
    wc_cycle_log = wc_cycle_stamps;
    wc_layer_begin();
    wc_layer_end();
    wc_cycle_log = 0;
    return wc_cycle_stamps[1] - wc_cycle_stamps[0];
}

static int timed_inference(uint32_t *run)
{
    wc_place_input();
    wc_mark(1);
    wc_cycle_log = wc_cycle_stamps;
    const uint32_t before = wc_stamp();
    wc_infer();
    run[0] = wc_stamp() - before;
    wc_cycle_log = 0;
    wc_mark(0);
    for (uint32_t i = 0; i < wc_layer_count; ++i)
        run[1 + i] = wc_cycle_stamps[2 * i + 1] - wc_cycle_stamps[2 * i];
    return wc_status == 0;
}

static int several(uint32_t runs, uint32_t warmups, uint32_t marker)
{
    const uint32_t words = wc_layer_count + 1;
    while (warmups--)
        if (!wc_infer_once())
            return 0;
    for (uint32_t n = 0; n < runs; ++n)
        if (!timed_inference(wc_runs + n * words))
            return 0;
    for (uint32_t n = 0; n < runs; ++n) {
        uint32_t sum = marker;
        wc_put("m-wc-run-[");
        for (uint32_t i = 0; i < words; ++i) {
            wc_put_u32(wc_runs[n * words + i]);
            wc_put(",");
            sum += wc_runs[n * words + i];
        }
        wc_put_u32(sum);
        wc_put("]\r\n");
    }
    return 1;
}

/* Reads "[N [W]]"; whether that is right and an input is there. */
static int asked(char *rest, uint32_t *runs, uint32_t *warmups)
{
    const char *word = wc_word(&rest);
    *runs = 1;
    *warmups = 0;
    if (word && (!wc_parse_u32(word, runs) || *runs == 0)) {
        wc_put("e-[Inference iterations must be >0]\r\n");
        return 0;
    }
    word = word ? wc_word(&rest) : 0;
    if (word && !wc_parse_u32(word, warmups)) {
        wc_put("e-[Inference warmup must be >=0]\r\n");
        return 0;
    }
    return wc_input_loaded();
}

void wc_time_loop(char *rest)
{
    uint32_t runs, warmups, micros = 0;
    int fine = 1;
    if (!asked(rest, &runs, &warmups))
        return;
    while (fine && warmups--)
        fine = wc_infer_once();
    if (fine) {
        wc_mark(1);
        const uint32_t before = wc_port_micros();
        for (uint32_t n = 0; fine && n < runs; ++n)
            fine = wc_infer_once();
        micros = wc_port_micros() - before;
        wc_mark(0);
    }
    if (!fine) {
        wc_put("e-[A layer failed]\r\n");
        return;
    }
    wc_put("m-wc-loop-[");
    wc_put_u32(runs);
    wc_put(",");
    wc_put_u32(micros);
    wc_put(",");
    wc_put_u32(runs + micros);
    wc_put("]\r\n");
}

void wc_time_layers(char *rest)
{
    uint32_t runs, warmups;
    if (!asked(rest, &runs, &warmups))
        return;
    wc_stamp_micros = !cycles_run();
    for (uint32_t i = 0; i < wc_layer_count; ++i) {
        wc_put("m-wc-layer-[");
        wc_put_u32(i);
        wc_put(",");
        wc_put_quoted(wc_layer_names[i]);
        wc_put("]\r\n");
    }
    wc_put(wc_stamp_micros ? "m-wc-counter-[us]\r\n" : "m-wc-counter-[cycles]\r\n");
    (void)empty_layer(); /* the second time it is in the caches */
    const uint32_t marker = empty_layer();
    wc_put("m-wc-marker-[");
    wc_put_u32(marker);
    wc_put("]\r\n");
    while (runs) {
        const uint32_t now = runs < WC_RUNS ? runs : WC_RUNS;
        if (!several(now, warmups, marker)) {
            wc_put("e-[A layer failed]\r\n");
            return;
        }
        runs -= now;
        warmups = 1;
    }
}
