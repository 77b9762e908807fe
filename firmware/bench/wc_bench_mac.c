/* Multiply-accumulate out of registers, as fast as each level of the instruction set allows. */
#include "wc_bench.h"

#define LOOP(body, repeats) \
    ".syntax unified\n" \
    ".balign 8\n" \
    "1:\n" \
    ".rept " #repeats "\n" \
    body \
    ".endr\n" \
    "subs %[n], %[n], #1\n"
#define WIDE_END "bne 1b\n"

#if WC_BENCH_BASELINE

/* MULS overwrites a factor, so each product is multiplied once more: 120 products, a chain that a two-stage core does not mind. */
uint32_t wc_bench_mul_add(uint32_t seed, uint32_t passes)
{
    uint32_t product = seed, sum = 0, n = passes;
    const uint32_t factor = seed * 2u + 3u;
    /* a conditional branch does not reach over the body */
    __asm volatile(LOOP("muls %[t], %[b], %[t]\n"
                        "adds %[s], %[s], %[t]\n", 120)
                   "beq 2f\n"
                   "b 1b\n"
                   "2:\n"
                   : [t] "+&l"(product), [s] "+&l"(sum), [n] "+&l"(n)
                   : [b] "l"(factor)
                   : "cc");
    return sum;
}

#else

/* Each product is added two steps after it was formed, so that a multiplier's latency and pairing rules do not show. */
uint32_t wc_bench_mul_add(uint32_t seed, uint32_t passes)
{
    uint32_t t0 = 0, t1 = 0, t2 = 0, t3 = 0, s0 = 0, s1 = 0, n = passes;
    const uint32_t a = seed, b = seed * 2u + 3u;
    __asm volatile(LOOP("mul %[t0], %[a], %[b]\n"
                        "add %[s0], %[s0], %[t2]\n"
                        "mul %[t1], %[a], %[b]\n"
                        "add %[s1], %[s1], %[t3]\n"
                        "mul %[t2], %[a], %[b]\n"
                        "add %[s0], %[s0], %[t0]\n"
                        "mul %[t3], %[a], %[b]\n"
                        "add %[s1], %[s1], %[t1]\n", 16) WIDE_END
                   : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [s0] "+&r"(s0), [s1] "+&r"(s1), [n] "+&r"(n)
                   : [a] "r"(a), [b] "r"(b)
                   : "cc");
    return s0 + s1 + t2 + t3;
}

#define FOUR_SUMS(mnemonic) \
    mnemonic " %[s0], %[a], %[b], %[s0]\n" \
    mnemonic " %[s1], %[a], %[b], %[s1]\n" \
    mnemonic " %[s2], %[a], %[b], %[s2]\n" \
    mnemonic " %[s3], %[a], %[b], %[s3]\n"

uint32_t wc_bench_mla(uint32_t seed, uint32_t passes)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, n = passes;
    const uint32_t a = seed, b = seed * 2u + 3u;
    __asm volatile(LOOP(FOUR_SUMS("mla"), 32) WIDE_END
                   : [s0] "+&r"(s0), [s1] "+&r"(s1), [s2] "+&r"(s2), [s3] "+&r"(s3), [n] "+&r"(n)
                   : [a] "r"(a), [b] "r"(b)
                   : "cc");
    return s0 + s1 + s2 + s3;
}

#endif

#ifdef __ARM_FEATURE_DSP
uint32_t wc_bench_smlad(uint32_t seed, uint32_t passes)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, n = passes;
    const uint32_t a = seed, b = seed * 2u + 3u;
    __asm volatile(LOOP(FOUR_SUMS("smlad"), 32) WIDE_END
                   : [s0] "+&r"(s0), [s1] "+&r"(s1), [s2] "+&r"(s2), [s3] "+&r"(s3), [n] "+&r"(n)
                   : [a] "r"(a), [b] "r"(b)
                   : "cc");
    return s0 + s1 + s2 + s3;
}
#endif

#if defined(__ARM_FP) && __ARM_FP
/* Eight sums hide the latency of a pipelined unit. Small whole numbers: every sum is exact. */
uint32_t wc_bench_vfma(uint32_t seed, uint32_t passes)
{
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    const float a = (float)((seed & 3u) + 1u), b = (float)((seed >> 2 & 3u) + 1u);
    uint32_t n = passes;
    __asm volatile(LOOP("vfma.f32 %[s0], %[a], %[b]\n"
                        "vfma.f32 %[s1], %[a], %[b]\n"
                        "vfma.f32 %[s2], %[a], %[b]\n"
                        "vfma.f32 %[s3], %[a], %[b]\n"
                        "vfma.f32 %[s4], %[a], %[b]\n"
                        "vfma.f32 %[s5], %[a], %[b]\n"
                        "vfma.f32 %[s6], %[a], %[b]\n"
                        "vfma.f32 %[s7], %[a], %[b]\n", 16) WIDE_END
                   : [s0] "+&t"(s0), [s1] "+&t"(s1), [s2] "+&t"(s2), [s3] "+&t"(s3), [s4] "+&t"(s4), [s5] "+&t"(s5),
                     [s6] "+&t"(s6), [s7] "+&t"(s7), [n] "+&r"(n)
                   : [a] "t"(a), [b] "t"(b)
                   : "cc");
    return (uint32_t)(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
}
#endif

__attribute__((noinline)) void wc_bench_fill(uint32_t *buffer, uint32_t words, uint32_t base)
{
    for (uint32_t i = 0; i < words; ++i) {
        buffer[i] = base;
        base += WC_BENCH_STEP;
    }
}

__attribute__((noinline)) uint32_t wc_bench_sum(const uint32_t *buffer, uint32_t words)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < words; ++i)
        sum += buffer[i];
    return sum;
}

#ifdef __ARM_FEATURE_MVE
/* Sixteen products of bytes at a time, the four of a word over and over; sums lie in even registers. */
uint32_t wc_bench_vmladav(uint32_t seed, uint32_t passes)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, n = passes;
    const uint32_t a = seed, b = seed * 2u + 3u;
    __asm volatile("vdup.32 q0, %[a]\n"
                   "vdup.32 q1, %[b]\n"
                   LOOP("vmladava.s8 %[s0], q0, q1\n"
                        "vmladava.s8 %[s1], q0, q1\n"
                        "vmladava.s8 %[s2], q0, q1\n"
                        "vmladava.s8 %[s3], q0, q1\n", 32) WIDE_END
                   : [s0] "+&Te"(s0), [s1] "+&Te"(s1), [s2] "+&Te"(s2), [s3] "+&Te"(s3), [n] "+&r"(n)
                   : [a] "r"(a), [b] "r"(b)
                   : "q0", "q1", "cc");
    return s0 + s1 + s2 + s3;
}
#endif
