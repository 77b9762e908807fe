/* The markers around every layer, and the one design that serves emulators and boards with the same ELF.
 *
 * A marker does nothing unless a log was asked for (`wc layers%`): one load and one branch, charged to the glue. With a log
 * it reads the cycle counter last in begin and first in end, so that a layer's cycles hold next to nothing of the marker.
 */
#include "cycles.h"
#include "whycycles.h"

uint32_t *volatile wc_cycle_log;

/* Two different bodies on purpose: identical functions may be merged, and a host tells markers apart by address. */
__attribute__((noinline, used)) void wc_layer_begin(void)
{
    uint32_t *const entry = wc_cycle_log;
    if (entry) {
        wc_cycle_log = entry + 1;
        *entry = wc_stamp();
    }
    __asm volatile("@ begin" ::: "memory");
}

__attribute__((noinline, used)) void wc_layer_end(void)
{
    uint32_t *const entry = wc_cycle_log;
    if (entry) {
        *entry = wc_stamp();
        wc_cycle_log = entry + 1;
    }
    __asm volatile("@ end" ::: "memory");
}

#ifdef WC_UART
int wc_stamp_micros;
#endif
