/* DEPTHWISE_CONV_2D: every input channel feeds `depth multiplier` output channels of its own. */
#include "wc_fixed.h"
#include "wc_kernels.h"

void wc_depthwise_conv_2d_s8(const wc_window_t *window, const wc_output_t *out, const int8_t *input,
                             const int8_t *filter, const int32_t *bias, const int32_t *multiplier,
                             const int32_t *shift, int8_t *output)
{
    const int32_t in_c = window->in_c;
    const int32_t out_c = window->out_c;
    const int32_t depth_multiplier = out_c / in_c;
    const int32_t input_row = window->in_w * in_c * window->dilation_h;
    const int32_t input_step = in_c * window->dilation_w;
    const int32_t filter_row = window->kernel_w * out_c;
    const int32_t input_offset = out->input_offset;

    for (int32_t out_y = 0; out_y < window->out_h; ++out_y) {
        const int32_t in_y = out_y * window->stride_h - window->pad_top;
        int32_t y_first, y_end;
        wc_taps(in_y, window->in_h, window->kernel_h, window->dilation_h, &y_first, &y_end);

        for (int32_t out_x = 0; out_x < window->out_w; ++out_x) {
            const int32_t in_x = out_x * window->stride_w - window->pad_left;
            int32_t x_first, x_end;
            wc_taps(in_x, window->in_w, window->kernel_w, window->dilation_w, &x_first, &x_end);
            const int32_t origin = (in_y * window->in_w + in_x) * in_c;

            for (int32_t c = 0; c < in_c; ++c) {
                for (int32_t m = 0; m < depth_multiplier; ++m) {
                    const int32_t channel = c * depth_multiplier + m;
                    int32_t sum = bias ? bias[channel] : 0;
                    for (int32_t y = y_first; y < y_end; ++y) {
                        for (int32_t x = x_first; x < x_end; ++x) {
                            const int32_t in = input[origin + y * input_row + x * input_step + c];
                            sum += (in + input_offset) * filter[y * filter_row + x * out_c + channel];
                        }
                    }
                    sum = wc_scale(sum, multiplier[channel], shift[channel]) + out->output_offset;
                    *output++ = (int8_t)wc_clamp(sum, out->low, out->high);
                }
            }
        }
    }
}
