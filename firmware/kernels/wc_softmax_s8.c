/* SOFTMAX in fixed point. Qi.f below: i integer bits, f fractional bits, one sign bit, i + f = 31. */
#include "wc_fixed.h"
#include "wc_kernels.h"

#define SUM_INTEGER_BITS 12

/* x * 2^n, saturated */
static inline int32_t shift_left_saturated(int32_t x, int32_t n)
{
    const int32_t limit = INT32_MAX >> n;
    if (x > limit) {
        return INT32_MAX;
    }
    if (x < -limit - 1) {
        return INT32_MIN;
    }
    return (int32_t)((uint32_t)x << n);
}

/* exp(x) in Q0.31 for x in [-1/4, 0) in Q0.31: Taylor series of order 4 around -1/8 */
static int32_t exp_quarter(int32_t x)
{
    const int32_t exp_minus_eighth = 1895147668; /* exp(-1/8) * 2^31 */
    const int32_t third = 715827883;             /* 1/3 * 2^31 */
    const int32_t d = x + (1 << 28);
    const int32_t d2 = wc_mul_high(d, d);
    const int32_t d3 = wc_mul_high(d2, d);
    const int32_t d4 = wc_mul_high(d2, d2);
    const int32_t d4_over_4 = wc_shift_right(d4, 2);
    const int32_t rest = wc_shift_right(wc_mul_high(d4_over_4 + d3, third) + d2, 1);
    return exp_minus_eighth + wc_mul_high(exp_minus_eighth, d + rest);
}

/* exp(x) in Q0.31 for x <= 0 in Q5.26: the part below 1/4 by the series, the bits above by a product of exp(-2^k) */
static int32_t exp_negative(int32_t x)
{
    static const int32_t exp_minus_power[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    const int32_t low = (x & (quarter - 1)) - quarter;
    const int32_t high = low - x;
    int32_t result = exp_quarter((int32_t)((uint32_t)low << 5));

    if (x == 0) {
        return INT32_MAX;
    }
    for (int32_t k = 0; k < 7; ++k) {
        if (high & (quarter << k)) {
            result = wc_mul_high(result, exp_minus_power[k]);
        }
    }
    return result;
}

/* 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton steps on the half of the denominator */
static int32_t reciprocal_of_one_plus(int32_t x)
{
    const int32_t c48_over_17 = 1515870810; /* Q2.29 */
    const int32_t c32_over_17 = 1010580540; /* Q2.29 */
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t r = c48_over_17 + wc_mul_high(half, -c32_over_17);
    for (int32_t step = 0; step < 3; ++step) {
        const int32_t error = (1 << 29) - wc_mul_high(half, r);
        r += shift_left_saturated(wc_mul_high(r, error), 2);
    }
    return shift_left_saturated(r, 1);
}

static int32_t leading_zeros(uint32_t x)
{
    int32_t n = 0;
    while (!(x & UINT32_C(0x80000000))) {
        x <<= 1;
        ++n;
    }
    return n;
}

static inline int32_t exp_of(const wc_softmax_t *softmax, int32_t diff)
{
    return exp_negative(
        wc_mul_high((int32_t)((uint32_t)diff << softmax->scale.shift), softmax->scale.multiplier));
}

void wc_softmax_s8(const wc_softmax_t *softmax, const int8_t *input, int8_t *output)
{
    const int32_t depth = softmax->depth;

    for (int32_t row = 0; row < softmax->rows; ++row, input += depth, output += depth) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < depth; ++i) {
            largest = input[i] > largest ? input[i] : largest;
        }

        int32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < depth; ++i) {
            const int32_t diff = input[i] - largest;
            if (diff >= softmax->diff_min) {
                sum += wc_shift_right(exp_of(softmax, diff), SUM_INTEGER_BITS);
            }
        }

        const int32_t zeros = leading_zeros((uint32_t)sum);
        const int32_t scale = reciprocal_of_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
        const int32_t shift = SUM_INTEGER_BITS - zeros + 31 - 8;

        for (int32_t i = 0; i < depth; ++i) {
            const int32_t diff = input[i] - largest;
            int32_t value = INT8_MIN;
            if (diff >= softmax->diff_min && shift <= 31) {
                value += wc_shift_right(wc_mul_high(scale, exp_of(softmax, diff)), shift);
            }
            output[i] = (int8_t)wc_clamp(value, INT8_MIN, INT8_MAX);
        }
    }
}
