/* The core's cycle counter (DWT CYCCNT), where the architecture has one. */
#ifndef WC_CYCLES_H
#define WC_CYCLES_H

#include <stdint.h>

/* Where the next marker stamps the cycle counter; null: nowhere. */
extern uint32_t *volatile wc_cycle_log;

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define WC_HAS_CYCLES 0 /* the baseline profiles' DWT has no CYCCNT */
static inline uint32_t wc_cycles(void) { return 0; }
#else
#define WC_HAS_CYCLES 1
#define WC_DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define WC_DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define WC_DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define WC_DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
static inline uint32_t wc_cycles(void) { return WC_DWT_CYCCNT; }
#endif

/* What a marker stamps. A port with a UART has a timer too: its microseconds serve where no counter runs (an emulator). */
#ifdef WC_UART
#include "port.h"
extern int wc_stamp_micros;
static inline uint32_t wc_stamp(void)
{
    if (wc_stamp_micros)
        return wc_port_micros();
#ifdef WC_PORT_CYCLES
    return wc_port_cycles();
#else
    return wc_cycles();
#endif
}
#else
#define wc_stamp wc_cycles
#endif

#endif
