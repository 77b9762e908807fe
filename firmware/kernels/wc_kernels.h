/* The reference kernels: plain loops, int8, bit-exact to TensorFlow Lite Micro. No intrinsics, no heap, no libm.
 *
 * Activations are NHWC with a batch of one. The generator has checked every shape and that no accumulator can overflow.
 */
#ifndef WC_KERNELS_H
#define WC_KERNELS_H

#include <stdint.h>

/* A window that slides over a feature map. pad_top/pad_left are the rows/columns of padding before the first one. */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
} wc_window_t;

/* input_offset is minus the input's zero point, output_offset the output's zero point; low and high clamp the output. */
typedef struct {
    int32_t input_offset, output_offset;
    int32_t low, high;
} wc_output_t;

/* real = multiplier / 2^31 * 2^shift */
typedef struct {
    int32_t multiplier, shift;
} wc_scale_t;

typedef struct {
    int32_t offset1, offset2, output_offset;
    wc_scale_t scale1, scale2, output_scale;
    int32_t low, high;
} wc_add_t;

/* Strides of both inputs over the four axes of the output; 0 where an input is repeated. */
typedef struct {
    int32_t size[4], stride1[4], stride2[4];
} wc_broadcast_t;

typedef struct {
    int32_t rows, depth;
    wc_scale_t scale;
    int32_t diff_min;
} wc_softmax_t;

/* filter OHWI; bias may be 0; multiplier and shift have one entry per output channel */
void wc_conv_2d_s8(const wc_window_t *window, const wc_output_t *out, const int8_t *input, const int8_t *filter,
                   const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output);

/* filter HWC with C = in_c * depth multiplier; bias may be 0; multiplier and shift have one entry per output channel */
void wc_depthwise_conv_2d_s8(const wc_window_t *window, const wc_output_t *out, const int8_t *input,
                             const int8_t *filter, const int32_t *bias, const int32_t *multiplier,
                             const int32_t *shift, int8_t *output);

/* input [rows, depth], filter [units, depth], output [rows, units]; bias may be 0; one scale for all units */
void wc_fully_connected_s8(int32_t rows, int32_t depth, int32_t units, const wc_output_t *out, wc_scale_t scale,
                           const int8_t *input, const int8_t *filter, const int32_t *bias, int8_t *output);

/* the same with one scale per unit */
void wc_fully_connected_per_channel_s8(int32_t rows, int32_t depth, int32_t units, const wc_output_t *out,
                                       const int32_t *multiplier, const int32_t *shift, const int8_t *input,
                                       const int8_t *filter, const int32_t *bias, int8_t *output);

/* padding takes no part in the mean */
void wc_average_pool_2d_s8(const wc_window_t *window, int32_t low, int32_t high, const int8_t *input, int8_t *output);

void wc_max_pool_2d_s8(const wc_window_t *window, int32_t low, int32_t high, const int8_t *input, int8_t *output);

void wc_add_s8(const wc_add_t *add, int32_t elements, const int8_t *input1, const int8_t *input2, int8_t *output);

void wc_add_broadcast_s8(const wc_add_t *add, const wc_broadcast_t *shape, const int8_t *input1, const int8_t *input2,
                         int8_t *output);

/* over the last axis; output has scale 1/256 and zero point -128 */
void wc_softmax_s8(const wc_softmax_t *softmax, const int8_t *input, int8_t *output);

/* round(input / scale) + zero point, ties away from zero, clamped to int8 */
void wc_quantize_f32_s8(int32_t elements, float inverse_scale, float zero_point, const float *input, int8_t *output);

/* scale * (input - zero point) */
void wc_dequantize_s8_f32(int32_t elements, float scale, int32_t zero_point, const int8_t *input, float *output);

#endif
