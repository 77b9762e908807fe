/* Lets CMSIS-NN compile on a host, in place of CMSIS-Core: the DSP instructions written out in C from their definitions
 * in the Armv7-M Architecture Reference Manual, so that the DSP code paths can be tested without an emulator. */
#ifndef HOST_CMSIS_COMPILER_H
#define HOST_CMSIS_COMPILER_H

#include <stdint.h>

#define __STATIC_FORCEINLINE static inline __attribute__((always_inline))
#define __STATIC_INLINE static inline
#define __RESTRICT __restrict
#define __ALIGNED(x) __attribute__((aligned(x)))
#define __ASM __asm
#define __CLZ(x) ((uint8_t)((x) ? __builtin_clz(x) : 32))

static inline uint32_t host_pack(int32_t low, int32_t high)
{
    return (uint32_t)(uint16_t)low | ((uint32_t)(uint16_t)high << 16);
}

static inline uint32_t __ROR(uint32_t x, uint32_t n)
{
    n &= 31;
    return n ? (x >> n) | (x << (32 - n)) : x;
}

static inline uint32_t __SXTB16(uint32_t x)
{
    return host_pack((int8_t)x, (int8_t)(x >> 16));
}

static inline uint32_t __SXTAB16(uint32_t a, uint32_t x)
{
    return host_pack((int16_t)a + (int8_t)x, (int16_t)(a >> 16) + (int8_t)(x >> 16));
}

#define __SXTB16_RORn(x, n) __SXTB16(__ROR((x), (n)))
#define __SXTAB16_RORn(a, x, n) __SXTAB16((a), __ROR((x), (n)))
#define __PKHBT(a, b, n) ((((uint32_t)(a)) & 0xFFFFu) | ((((uint32_t)(b)) << (n)) & 0xFFFF0000u))
#define __PKHTB(a, b, n) ((((uint32_t)(a)) & 0xFFFF0000u) | ((uint32_t)(((int32_t)(b)) >> (n)) & 0xFFFFu))

static inline int32_t __SMLAD(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + (int16_t)a * (int16_t)b + (int16_t)(a >> 16) * (int16_t)(b >> 16);
}

static inline int32_t __smlabb(int32_t a, int32_t b, int32_t sum)
{
    return sum + (int16_t)a * (int16_t)b;
}

static inline int32_t __smlatt(int32_t a, int32_t b, int32_t sum)
{
    return sum + (a >> 16) * (b >> 16);
}

static inline int32_t host_saturate16(int32_t x)
{
    return x > INT16_MAX ? INT16_MAX : (x < INT16_MIN ? INT16_MIN : x);
}

static inline uint32_t __QADD16(uint32_t a, uint32_t b)
{
    return host_pack(host_saturate16((int16_t)a + (int16_t)b),
                     host_saturate16((int16_t)(a >> 16) + (int16_t)(b >> 16)));
}

static inline int32_t __QADD(int32_t a, int32_t b)
{
    int64_t sum = (int64_t)a + b;
    return sum > INT32_MAX ? INT32_MAX : (sum < INT32_MIN ? INT32_MIN : (int32_t)sum);
}

#endif
