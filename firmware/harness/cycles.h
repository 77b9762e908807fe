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

#endif
