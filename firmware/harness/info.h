/* What the device says about itself; defined by the generated info.c of each build. Only the UART protocol reads it. */
#ifndef WC_INFO_H
#define WC_INFO_H

#include <stdint.h>

typedef struct {
    const char *key;
    const char *value;
} wc_fact_t;

/* The name MLPerf Tiny's runner looks stimuli up by ("kws01"), and facts about the build. */
extern const char wc_runner_model[];
extern const wc_fact_t wc_facts[];
extern const uint32_t wc_fact_count;

/* Real value of output i is scale * (q - zero_point); the scale is given in 1e-12. */
typedef struct {
    int64_t scale_pico;
    int32_t zero_point;
} wc_scale_t;
extern const wc_scale_t wc_output_scales[];

/* Input as loaded by `db`, all model inputs behind each other: the arena may overwrite the tensors themselves. */
extern const uint32_t wc_stimulus_bytes;
extern uint8_t wc_stimulus[];

/* Two entries per layer: cycle counter at begin and end. */
extern uint32_t wc_cycle_stamps[];

/* Inferences that are timed back to back before they are printed: per inference its total, then its layers. */
#define WC_RUNS 8u
extern uint32_t wc_runs[];

#endif
