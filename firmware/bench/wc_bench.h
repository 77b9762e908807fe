/* Micro-benchmarks: what a core multiplies and what its memories deliver, at most.
 *
 * Each is straight-line code in a loop, long enough that the loop counts little and short enough for the smallest instruction
 * cache. Each returns a checksum that the host computes as well (engine/firmware/bench/expect.py): change both together.
 * `passes` repeats the whole benchmark. Arithmetic is modulo 2^32.
 */
#ifndef WC_BENCH_H
#define WC_BENCH_H

#include <stdint.h>

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define WC_BENCH_BASELINE 1
#else
#define WC_BENCH_BASELINE 0
#endif

/* Word i of a buffer holds base + i * WC_BENCH_STEP; the base of constants is 0. */
#define WC_BENCH_STEP 0x9E3779B1u

/* A number the compiler knows nothing about: it would make a copy of a function for the call that warms up. */
static inline uint32_t wc_bench_hide(uint32_t value)
{
    __asm volatile("" : "+r"(value));
    return value;
}

uint32_t wc_bench_mul_add(uint32_t seed, uint32_t passes);
uint32_t wc_bench_mla(uint32_t seed, uint32_t passes);
uint32_t wc_bench_smlad(uint32_t seed, uint32_t passes);
uint32_t wc_bench_vfma(uint32_t seed, uint32_t passes);
uint32_t wc_bench_vmladav(uint32_t seed, uint32_t passes);

/* Outside of every measured region. */
void wc_bench_fill(uint32_t *buffer, uint32_t words, uint32_t base);
uint32_t wc_bench_sum(const uint32_t *buffer, uint32_t words);

#endif
