/* Float values at the model's border: what Apache TVM puts before and behind an int8 model with float32 input and output. */
#include "wc_kernels.h"

/* Where the core has an instruction for it (VRINTA), the compiler uses that instead. */
float roundf(float x);

void wc_quantize_f32_s8(int32_t elements, float inverse_scale, float zero_point, const float *input, int8_t *output)
{
    for (int32_t i = 0; i < elements; ++i) {
        const float value = roundf(input[i] * inverse_scale) + zero_point;
        const float below = value < 127.0f ? value : 127.0f; /* NaN becomes 127 */
        output[i] = (int8_t)(below > -128.0f ? below : -128.0f);
    }
}

void wc_dequantize_s8_f32(int32_t elements, float scale, int32_t zero_point, const int8_t *input, float *output)
{
    for (int32_t i = 0; i < elements; ++i) {
        output[i] = (float)(input[i] - zero_point) * scale;
    }
}
