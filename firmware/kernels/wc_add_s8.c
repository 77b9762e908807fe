/* ADD of two differently scaled tensors: both are brought to a common scale with 20 spare bits, added, scaled to the output. */
#include "wc_fixed.h"
#include "wc_kernels.h"

#define LEFT_SHIFT 20

static inline int8_t add_one(const wc_add_t *add, int32_t in1, int32_t in2)
{
    const int32_t a = wc_scale((in1 + add->offset1) * (1 << LEFT_SHIFT), add->scale1.multiplier, add->scale1.shift);
    const int32_t b = wc_scale((in2 + add->offset2) * (1 << LEFT_SHIFT), add->scale2.multiplier, add->scale2.shift);
    const int32_t sum = wc_scale(a + b, add->output_scale.multiplier, add->output_scale.shift) + add->output_offset;
    return (int8_t)wc_clamp(sum, add->low, add->high);
}

void wc_add_s8(const wc_add_t *add, int32_t elements, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    for (int32_t i = 0; i < elements; ++i) {
        output[i] = add_one(add, input1[i], input2[i]);
    }
}

void wc_add_broadcast_s8(const wc_add_t *add, const wc_broadcast_t *shape, const int8_t *input1, const int8_t *input2,
                         int8_t *output)
{
    const int32_t *s1 = shape->stride1;
    const int32_t *s2 = shape->stride2;
    for (int32_t n = 0; n < shape->size[0]; ++n) {
        for (int32_t y = 0; y < shape->size[1]; ++y) {
            for (int32_t x = 0; x < shape->size[2]; ++x) {
                const int8_t *in1 = input1 + n * s1[0] + y * s1[1] + x * s1[2];
                const int8_t *in2 = input2 + n * s2[0] + y * s2[1] + x * s2[2];
                for (int32_t c = 0; c < shape->size[3]; ++c) {
                    *output++ = add_one(add, in1[c * s1[3]], in2[c * s2[3]]);
                }
            }
        }
    }
}
