/* AVERAGE_POOL_2D and MAX_POOL_2D. Every window holds at least one position of the input (checked by the generator). */
#include "wc_fixed.h"
#include "wc_kernels.h"

void wc_average_pool_2d_s8(const wc_window_t *window, int32_t low, int32_t high, const int8_t *input, int8_t *output)
{
    const int32_t channels = window->in_c;

    for (int32_t out_y = 0; out_y < window->out_h; ++out_y) {
        const int32_t in_y = out_y * window->stride_h - window->pad_top;
        int32_t y_first, y_end;
        wc_taps(in_y, window->in_h, window->kernel_h, 1, &y_first, &y_end);

        for (int32_t out_x = 0; out_x < window->out_w; ++out_x) {
            const int32_t in_x = out_x * window->stride_w - window->pad_left;
            int32_t x_first, x_end;
            wc_taps(in_x, window->in_w, window->kernel_w, 1, &x_first, &x_end);
            const int32_t count = (y_end - y_first) * (x_end - x_first);

            for (int32_t c = 0; c < channels; ++c) {
                int32_t sum = 0;
                for (int32_t y = y_first; y < y_end; ++y) {
                    for (int32_t x = x_first; x < x_end; ++x) {
                        sum += input[((in_y + y) * window->in_w + in_x + x) * channels + c];
                    }
                }
                sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *output++ = (int8_t)wc_clamp(sum, low, high);
            }
        }
    }
}

void wc_max_pool_2d_s8(const wc_window_t *window, int32_t low, int32_t high, const int8_t *input, int8_t *output)
{
    const int32_t channels = window->in_c;

    for (int32_t out_y = 0; out_y < window->out_h; ++out_y) {
        const int32_t in_y = out_y * window->stride_h - window->pad_top;
        int32_t y_first, y_end;
        wc_taps(in_y, window->in_h, window->kernel_h, 1, &y_first, &y_end);

        for (int32_t out_x = 0; out_x < window->out_w; ++out_x) {
            const int32_t in_x = out_x * window->stride_w - window->pad_left;
            int32_t x_first, x_end;
            wc_taps(in_x, window->in_w, window->kernel_w, 1, &x_first, &x_end);

            for (int32_t c = 0; c < channels; ++c) {
                int32_t largest = INT8_MIN;
                for (int32_t y = y_first; y < y_end; ++y) {
                    for (int32_t x = x_first; x < x_end; ++x) {
                        const int32_t in = input[((in_y + y) * window->in_w + in_x + x) * channels + c];
                        largest = in > largest ? in : largest;
                    }
                }
                *output++ = (int8_t)wc_clamp(largest, low, high);
            }
        }
    }
}
