/* Costs of this machine in ns: they turn counts into shares of a time that was measured on the same machine, without assumed penalties.
 *
 * Each is the least of several rounds: what disturbs a round only makes it longer.
 */
#include "wc_probe.h"

#include "wc_system.h"

enum { ROUNDS = 7, LINE = 64, ADDITIONS = 1 << 20, INSTRUCTIONS = 1 << 20, BRANCHES = 1 << 17, LEAST_LINES = 1 << 16 };

#define TIMES_4(x) x x x x
#define TIMES_16(x) TIMES_4(x) TIMES_4(x) TIMES_4(x) TIMES_4(x)

static double least(double a, uint64_t ns, double work)
{
    const double now = (double)ns / work;
    return a == 0.0 || now < a ? now : a;
}

static uint64_t dependent_additions(void)
{
    const uint64_t before = wc_now_ns();
    uint64_t x = 0;
    for (uint64_t n = 0; n < ADDITIONS; n += 64) {
        __asm volatile(TIMES_16("add %1, %0\n add %1, %0\n add %1, %0\n add %1, %0\n") : "+r"(x) : "r"(n));
    }
    return wc_now_ns() - before;
}

/* A register set to zero by itself waits for nothing and occupies no unit: it takes its slot in the front end alone, as every
 * instruction does (a compare and its branch may share one). */
static uint64_t shortest_instructions(void)
{
    const uint64_t before = wc_now_ns();
    for (uint64_t n = 0; n < INSTRUCTIONS; n += 128) {
        __asm volatile(TIMES_16("xor %%eax, %%eax\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n"
                                "xor %%edi, %%edi\n xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n")
                       ::
                           : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "cc");
    }
    return wc_now_ns() - before;
}

/* Branches on bits of a generator: with a mask of 1 no predictor does better than chance, with 0 every one is right. */
static uint64_t branches(uint64_t mask)
{
    const uint64_t before = wc_now_ns();
    uint64_t x = 88172645463325252u;
    for (uint32_t n = 0; n < BRANCHES; ++n) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if ((x >> 32) & mask) {
            __asm volatile("nop" ::: "memory");
        }
    }
    return wc_now_ns() - before;
}

static uint64_t read_in_order(const uint64_t *lines, uint64_t count, uint64_t passes)
{
    const uint64_t before = wc_now_ns();
    uint64_t sum = 0;
    for (; passes; --passes) {
        for (uint64_t n = 0; n < count; ++n) {
            sum += lines[n * (LINE / sizeof *lines)];
        }
        __asm volatile("" : "+r"(sum)::"memory");
    }
    return wc_now_ns() - before;
}

static uint64_t follow(const uint64_t *lines, uint64_t steps)
{
    const uint64_t before = wc_now_ns();
    uint64_t at = 0;
    for (; steps; --steps) {
        at = lines[at * (LINE / sizeof *lines)];
    }
    __asm volatile("" ::"r"(at));
    return wc_now_ns() - before;
}

void wc_probe_machine(uint64_t bytes)
{
    double found[6] = {0}, right = 0, wrong = 0;
    uint64_t count = 1;
    while (count * 2 * LINE <= bytes) {
        count *= 2;
    }
    uint64_t *const lines = wc_map(count * LINE);
    /* a generator of full period visits every line once, in an order that no prefetcher knows */
    for (uint64_t n = 0; n < count; ++n) {
        lines[n * (LINE / sizeof *lines)] = (n * 1664525u + 1013904223u) & (count - 1);
    }
    const uint64_t passes = count < LEAST_LINES ? LEAST_LINES / count : 1;
    for (int round = 0; round < ROUNDS; ++round) {
        found[0] = least(found[0], dependent_additions(), ADDITIONS);
        found[1] = least(found[1], shortest_instructions(), INSTRUCTIONS);
        right = least(right, branches(0), BRANCHES);
        wrong = least(wrong, branches(1), BRANCHES);
        found[3] = least(found[3], read_in_order(lines, count, passes), (double)(count * passes));
        found[4] = least(found[4], follow(lines, LEAST_LINES), LEAST_LINES);
    }
    /* half of the branches on random bits are mispredicted */
    found[2] = wrong > right ? 2 * (wrong - right) : 0;
    found[5] = (double)count;
    wc_write_all(found, sizeof found);
}
