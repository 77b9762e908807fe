/* Vector table and reset: enable the FPU, fill .data (and code or weights that live in RAM), clear .bss, call main.
 *
 * Everything here lies in the boot memory and calls nothing that may still have to be copied.
 */
#include "enable.h"

/* Tables made by the linker script. Sizes are multiples of 4. */
typedef struct {
    const uint32_t *from;
    uint32_t *to;
    uint32_t bytes;
} wc_copy_t;

typedef struct {
    uint32_t *to;
    uint32_t bytes;
} wc_zero_t;

extern const wc_copy_t wc_copy_start[], wc_copy_end[];
extern const wc_zero_t wc_zero_start[], wc_zero_end[];
extern uint32_t wc_stack_top[];

int main(void);
void Reset_Handler(void) __attribute__((noreturn));
void wc_fault(void) __attribute__((noreturn));

/* A fault stays here: an emulator or debugger sees the address, and no result is reported. */
__attribute__((section(".boot"), used)) void wc_fault(void)
{
    for (;;)
        __asm volatile("");
}

/* Entry 0 is the stack, 1 reset, 2 NMI, 3 hard fault; no interrupt is ever enabled. */
__attribute__((section(".vectors"), used)) const void *const wc_vectors[16] = {
    wc_stack_top,
    (const void *)Reset_Handler,
    (const void *)wc_fault,
    (const void *)wc_fault,
    (const void *)wc_fault,
    (const void *)wc_fault,
    (const void *)wc_fault,
    (const void *)wc_fault,
    0,
    0,
    0,
    (const void *)wc_fault,
    (const void *)wc_fault,
    0,
    (const void *)wc_fault,
    (const void *)wc_fault,
};

__attribute__((section(".boot"), used)) void Reset_Handler(void)
{
#if defined(__ARM_FP) && __ARM_FP
    /* CPACR: full access to coprocessors 10 and 11 */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile(WC_ENABLE_VECTORS);
#endif
    /* the barriers keep compilers from turning the loops into calls of memcpy and memset */
    for (const wc_copy_t *part = wc_copy_start; part != wc_copy_end; ++part)
        for (uint32_t i = 0; i < part->bytes / 4; ++i) {
            part->to[i] = part->from[i];
            __asm volatile("" ::: "memory");
        }
    for (const wc_zero_t *part = wc_zero_start; part != wc_zero_end; ++part)
        for (uint32_t i = 0; i < part->bytes / 4; ++i) {
            part->to[i] = 0;
            __asm volatile("" ::: "memory");
        }
    main();
    for (;;)
        __asm volatile("");
}
