/* What a port gives to the harness. One folder per port; firmware/ports/common is shared by all. */
#ifndef WC_PORT_H
#define WC_PORT_H

#include <stdint.h>

/* Clock, pins and UART; called once, after .data and .bss are ready. */
void wc_port_init(void);

/* What the device does once it is ready: serve the UART protocol (wc_serve) or park. Never returns. */
void wc_port_run(void) __attribute__((noreturn));

/* The functions below exist only in ports with a UART (compiled with WC_UART). */

/* Blocks until a character has arrived. */
char wc_port_getc(void);

/* Blocks until the character has been taken. */
void wc_port_putc(char c);

/* Microseconds since wc_port_init; wraps after 2^32. */
uint32_t wc_port_micros(void);

/* The clock the core runs at, in Hz: the one that was asked for, or the reset clock if that could not be set. */
uint32_t wc_port_clock_hz(void);

/* Where that clock comes from ("HSE 8 MHz crystal"), and why it is not the one that was asked for (null: it is). */
const char *wc_port_clock_source(void);
const char *wc_port_clock_problem(void);

/* Restarts the device as a reset does. */
void wc_port_reset(void) __attribute__((noreturn));

/* Drives the marker pin, for meters: high while timed inferences run. A port without a pin leaves it out. */
void wc_port_mark(int on);

/* Core cycles, wrapping after 2^32; only in ports compiled with WC_PORT_CYCLES, whose core has no DWT counter. */
uint32_t wc_port_cycles(void);

#endif
