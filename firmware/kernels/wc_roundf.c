/* roundf without libm: to the nearest integer, ties away from zero, on the bits of an IEEE 754 single. */
#include <stdint.h>

float roundf(float x);

float roundf(float x)
{
    union {
        float value;
        uint32_t bits;
    } v = {x};
    const int32_t exponent = (int32_t)(v.bits >> 23 & 0xffu) - 127;
    if (exponent >= 23) {
        return x; /* already whole, infinite or NaN */
    }
    if (exponent < 0) {
        /* below 1: the sign alone, or one where the magnitude is at least a half */
        v.bits &= UINT32_C(0x80000000);
        if (exponent == -1) {
            v.bits |= UINT32_C(0x3f800000);
        }
        return v.value;
    }
    /* adding a half may carry into the exponent, which is the next power of two */
    v.bits += UINT32_C(0x00400000) >> exponent;
    v.bits &= ~(UINT32_C(0x007fffff) >> exponent);
    return v.value;
}
