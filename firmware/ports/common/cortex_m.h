/* What every Cortex-M port needs: registers by address, bounded waits, the rest of the vector table, reset.
 *
 * AIRCR and VTOR: ARMv6-M (DDI 0419) and ARMv7-M (DDI 0403) Architecture Reference Manuals, "System Control Block"; VTOR also in
 * raspberrypi/pico-sdk:src/rp2_common/boot_stage2/asminclude/boot2_helpers/exit_from_boot2.S@14e4acb7.
 */
#ifndef WC_CORTEX_M_H
#define WC_CORTEX_M_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* No flag takes as long as this many polls: 100 ms and more at the reset clocks of these devices, a crystal needs a few. */
#define WC_WAIT_POLLS 100000u

/* Whether the bits of `mask` became `value` in time. Never waits for ever: an emulator leaves clock registers at zero. */
static inline int wc_wait(volatile uint32_t *where, uint32_t mask, uint32_t value)
{
    for (uint32_t polls = WC_WAIT_POLLS; polls; --polls)
        if ((*where & mask) == value)
            return 1;
    return 0;
}

/* The vectors of `count` interrupts behind the sixteen of the core: none is ever enabled, and a stray one is a fault. */
void wc_fault(void) __attribute__((noreturn));
#define WC_INTERRUPTS(count)                                                                                                   \
    __attribute__((section(".vectors.interrupts"), used)) const void *const wc_interrupt_vectors[count] = {                  \
        [0 ...(count)-1] = (const void *)wc_fault}

/* SYSRESETREQ with the key that AIRCR asks for. */
static inline void __attribute__((noreturn)) wc_system_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    REGISTER(0xE000ED0Cu) = 0x05FA0004u;
    for (;;)
        __asm volatile("dsb");
}

#endif
