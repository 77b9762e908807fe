/* Fixed-point arithmetic shared by the kernels. Right shifts of negative numbers are arithmetic on every compiler we use. */
#ifndef WC_FIXED_H
#define WC_FIXED_H

#include <stdint.h>

/* a * b / 2^31, rounded to nearest (ties towards plus infinity); not both INT32_MIN */
static inline int32_t wc_mul_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* x / 2^n, rounded to nearest (ties away from zero), 0 <= n <= 31 */
static inline int32_t wc_shift_right(int32_t x, int32_t n)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << n) - 1u);
    const int32_t rest = x & mask;
    const int32_t half = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> n) + (rest > half ? 1 : 0);
}

/* x * multiplier / 2^31 * 2^shift; TensorFlow Lite Micro rounds twice, so do we */
static inline int32_t wc_scale(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return wc_shift_right(wc_mul_high((int32_t)((uint32_t)x << left), multiplier), right);
}

static inline int32_t wc_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : (x > high ? high : x);
}

/* The taps [*first, *end) of a kernel at `origin` that fall on the `size` positions of the input. */
static inline void wc_taps(int32_t origin, int32_t size, int32_t kernel, int32_t dilation, int32_t *first, int32_t *end)
{
    int32_t skip = origin < 0 ? -origin : 0;
    int32_t room = size - origin;
    if (dilation != 1) {
        skip = (skip + dilation - 1) / dilation;
        room = room > 0 ? (room + dilation - 1) / dilation : 0;
    }
    *first = skip;
    *end = room < kernel ? room : kernel;
}

#endif
