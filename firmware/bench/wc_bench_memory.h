/* Words out of a memory, and from one memory into another. Each macro defines one function, because the bytes it cycles through
 * are part of its code: a block is WC_BENCH_BLOCK bytes of accesses that cycle through the first `span` of them, and the next block begins
 * `step` bytes on (0: the same bytes over and over). A sum takes one word of every block. `blocks` blocks are one pass.
 */
#ifndef WC_BENCH_MEMORY_H
#define WC_BENCH_MEMORY_H

#include "wc_bench.h"

#if WC_BENCH_BASELINE

/* Only r0 to r7 can be loaded at once: seven words to a load, six to a copy. */
#define WC_BENCH_LDM(name, span, turns, loads) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t step, uint32_t blocks, uint32_t passes) \
    { \
        register uint32_t sum __asm("r10") = 0; \
        do { \
            register const uint32_t *at __asm("r0") = from; \
            register uint32_t back __asm("r8") = step - (span); \
            register uint32_t left __asm("r9") = blocks; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".rept " #turns "\n" \
                           ".rept " #loads "\n" \
                           "ldmia r0!, {r1, r2, r3, r4, r5, r6, r7}\n" \
                           ".endr\n" \
                           "add r0, r8\n" \
                           ".endr\n" \
                           "add r10, r1\n" \
                           "mov r1, r9\n" \
                           "subs r1, r1, #1\n" \
                           "mov r9, r1\n" \
                           "bne 1b\n" \
                           : "+&r"(at), "+&r"(left), "+&r"(sum) \
                           : "r"(back) \
                           : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "cc", "memory"); \
        } while (--passes); \
        return sum; \
    }

#define WC_BENCH_COPY(name, span, turns, loads) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t *to, uint32_t step, uint32_t blocks, \
                                                   uint32_t passes) \
    { \
        do { \
            register const uint32_t *at __asm("r0") = from; \
            register uint32_t *put __asm("r1") = to; \
            register uint32_t back __asm("r8") = step - (span); \
            register uint32_t left __asm("r9") = blocks; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".rept " #turns "\n" \
                           ".rept " #loads "\n" \
                           "ldmia r0!, {r2, r3, r4, r5, r6, r7}\n" \
                           "stmia r1!, {r2, r3, r4, r5, r6, r7}\n" \
                           ".endr\n" \
                           "add r0, r8\n" \
                           "add r1, r8\n" \
                           ".endr\n" \
                           "mov r2, r9\n" \
                           "subs r2, r2, #1\n" \
                           "mov r9, r2\n" \
                           "bne 1b\n" \
                           : "+&r"(at), "+&r"(put), "+&r"(left) \
                           : "r"(back) \
                           : "r2", "r3", "r4", "r5", "r6", "r7", "cc", "memory"); \
        } while (--passes); \
        return 0; \
    }

#else

/* 128 loads whose offsets cycle through the span; neighbours lie in different banks of words. */
#define WC_BENCH_LDR(name, span) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t step, uint32_t blocks, uint32_t passes) \
    { \
        uint32_t sum = 0; \
        do { \
            const uint32_t *at = from; \
            uint32_t left = blocks, a, b, c, d; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".set .Lwc_bench_offset, 0\n" \
                           ".rept 32\n" \
                           "ldr %[a], [%[at], #(.Lwc_bench_offset)]\n" \
                           "ldr %[b], [%[at], #(.Lwc_bench_offset + 4)]\n" \
                           "ldr %[c], [%[at], #(.Lwc_bench_offset + 8)]\n" \
                           "ldr %[d], [%[at], #(.Lwc_bench_offset + 12)]\n" \
                           ".set .Lwc_bench_offset, (.Lwc_bench_offset + 16) %% " #span "\n" \
                           ".endr\n" \
                           "add %[sum], %[sum], %[a]\n" \
                           "add %[at], %[at], %[step]\n" \
                           "subs %[left], %[left], #1\n" \
                           "bne 1b\n" \
                           : [at] "+&r"(at), [left] "+&r"(left), [sum] "+&r"(sum), [a] "=&r"(a), [b] "=&r"(b), \
                             [c] "=&r"(c), [d] "=&r"(d) \
                           : [step] "r"(step) \
                           : "cc", "memory"); \
        } while (--passes); \
        return sum; \
    }

/* 32 vector loads whose offsets cycle through the span. */
#define WC_BENCH_VLDR(name, span) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t step, uint32_t blocks, uint32_t passes) \
    { \
        uint32_t sum = 0; \
        do { \
            const uint32_t *at = from; \
            uint32_t left = blocks, last; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".set .Lwc_bench_offset, 0\n" \
                           ".rept 32\n" \
                           "vldrw.u32 q0, [%[at], #(.Lwc_bench_offset)]\n" \
                           ".set .Lwc_bench_offset, (.Lwc_bench_offset + 16) %% " #span "\n" \
                           ".endr\n" \
                           "vmov %[last], s0\n" \
                           "add %[sum], %[sum], %[last]\n" \
                           "add %[at], %[at], %[step]\n" \
                           "subs %[left], %[left], #1\n" \
                           "bne 1b\n" \
                           : [at] "+&r"(at), [left] "+&r"(left), [sum] "+&r"(sum), [last] "=&r"(last) \
                           : [step] "r"(step) \
                           : "q0", "cc", "memory"); \
        } while (--passes); \
        return sum; \
    }

#define WC_BENCH_LDM(name, span, turns, loads) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t step, uint32_t blocks, uint32_t passes) \
    { \
        register uint32_t sum __asm("r12") = 0; \
        do { \
            register const uint32_t *at __asm("r0") = from; \
            register uint32_t back __asm("r10") = step - (span); \
            register uint32_t left __asm("r11") = blocks; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".rept " #turns "\n" \
                           ".rept " #loads "\n" \
                           "ldmia %[at]!, {r2, r3, r4, r5, r6, r7, r8, r9}\n" \
                           ".endr\n" \
                           "add %[at], %[at], %[back]\n" \
                           ".endr\n" \
                           "add %[sum], %[sum], r2\n" \
                           "subs %[left], %[left], #1\n" \
                           "bne 1b\n" \
                           : [at] "+&r"(at), [left] "+&r"(left), [sum] "+&r"(sum) \
                           : [back] "r"(back) \
                           : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "cc", "memory"); \
        } while (--passes); \
        return sum; \
    }

#define WC_BENCH_COPY(name, span, turns, loads) \
    __attribute__((noinline)) static uint32_t name(const uint32_t *from, uint32_t *to, uint32_t step, uint32_t blocks, \
                                                   uint32_t passes) \
    { \
        do { \
            register const uint32_t *at __asm("r0") = from; \
            register uint32_t *put __asm("r1") = to; \
            register uint32_t back __asm("r10") = step - (span); \
            register uint32_t left __asm("r11") = blocks; \
            __asm volatile(".syntax unified\n" \
                           ".balign 8\n" \
                           "1:\n" \
                           ".rept " #turns "\n" \
                           ".rept " #loads "\n" \
                           "ldmia %[at]!, {r2, r3, r4, r5, r6, r7, r8, r9}\n" \
                           "stmia %[put]!, {r2, r3, r4, r5, r6, r7, r8, r9}\n" \
                           ".endr\n" \
                           "add %[at], %[at], %[back]\n" \
                           "add %[put], %[put], %[back]\n" \
                           ".endr\n" \
                           "subs %[left], %[left], #1\n" \
                           "bne 1b\n" \
                           : [at] "+&r"(at), [put] "+&r"(put), [left] "+&r"(left) \
                           : [back] "r"(back) \
                           : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "cc", "memory"); \
        } while (--passes); \
        return 0; \
    }

#endif

#endif
