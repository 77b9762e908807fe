/* What a generated model gives to the harness, and what the harness gives to the model.
 *
 * model.c (generated) defines everything in the first half; the harness defines the second half.
 */
#ifndef WHYCYCLES_H
#define WHYCYCLES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- defined by the generated model.c ---- */

/* One model input or output: `bytes` bytes at `data`, which lies inside wc_arena. `name` is printable ASCII. */
typedef struct {
    const char *name;
    int8_t *data;
    uint32_t bytes;
} wc_io_t;

extern const char wc_model_name[];

extern const uint32_t wc_input_count;
extern const wc_io_t wc_inputs[];

extern const uint32_t wc_output_count;
extern const wc_io_t wc_outputs[];

/* One name per layer, in the order of execution; layer n is opened by the n-th wc_layer_begin of an inference. */
extern const uint32_t wc_layer_count;
extern const char *const wc_layer_names[];

/* Every activation and scratch buffer, 16-byte aligned, in section .wc_arena. */
extern const uint32_t wc_arena_bytes;
extern uint8_t wc_arena[];

/* 0, or 1 + the index of the first layer whose kernel reported an error. Set back to 0 by wc_infer. */
extern volatile int32_t wc_status;

/* One inference, inputs already in place. It uses up its inputs (their storage is reused): write them before every inference.
 * Outputs stay valid until the next inference or the next write to an input. */
void wc_infer(void);

/* ---- defined by the harness ---- */

/* Markers around every layer: never inlined, so that any target can see them being called. They do nothing unless a cycle
 * log was asked for over the UART (markers.c); their own few instructions belong to the glue. */
void wc_layer_begin(void);
void wc_layer_end(void);

#ifdef __cplusplus
}
#endif

#endif
