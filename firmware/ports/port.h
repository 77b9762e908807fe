/* What a port gives to the harness. One folder per port; firmware/ports/common is shared by all. */
#ifndef WC_PORT_H
#define WC_PORT_H

#include <stdint.h>

/* Clock, pins and UART; called once, after .data and .bss are ready. */
void wc_port_init(void);

/* What the device does once it is ready: serve the UART protocol (wc_serve) or park. Never returns. */
void wc_port_run(void) __attribute__((noreturn));

/* The functions below exist only in ports with a UART. */

/* Blocks until a character has arrived. */
char wc_port_getc(void);

/* Blocks until the character has been taken. */
void wc_port_putc(char c);

/* Microseconds since wc_port_init; wraps after 2^32. */
uint32_t wc_port_micros(void);

#endif
