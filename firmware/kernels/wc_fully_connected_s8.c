/* FULLY_CONNECTED, with one scale for the whole layer or one per output unit. */
#include "wc_fixed.h"
#include "wc_kernels.h"

static inline int32_t dot(const int8_t *input, const int8_t *weight, int32_t depth, int32_t input_offset, int32_t sum)
{
    for (int32_t i = 0; i < depth; ++i) {
        sum += (input[i] + input_offset) * weight[i];
    }
    return sum;
}

void wc_fully_connected_s8(int32_t rows, int32_t depth, int32_t units, const wc_output_t *out, wc_scale_t scale,
                           const int8_t *input, const int8_t *filter, const int32_t *bias, int8_t *output)
{
    for (int32_t row = 0; row < rows; ++row, input += depth) {
        for (int32_t unit = 0; unit < units; ++unit) {
            int32_t sum = dot(input, filter + unit * depth, depth, out->input_offset, bias ? bias[unit] : 0);
            sum = wc_scale(sum, scale.multiplier, scale.shift) + out->output_offset;
            *output++ = (int8_t)wc_clamp(sum, out->low, out->high);
        }
    }
}

void wc_fully_connected_per_channel_s8(int32_t rows, int32_t depth, int32_t units, const wc_output_t *out,
                                       const int32_t *multiplier, const int32_t *shift, const int8_t *input,
                                       const int8_t *filter, const int32_t *bias, int8_t *output)
{
    for (int32_t row = 0; row < rows; ++row, input += depth) {
        for (int32_t unit = 0; unit < units; ++unit) {
            int32_t sum = dot(input, filter + unit * depth, depth, out->input_offset, bias ? bias[unit] : 0);
            sum = wc_scale(sum, multiplier[unit], shift[unit]) + out->output_offset;
            *output++ = (int8_t)wc_clamp(sum, out->low, out->high);
        }
    }
}
