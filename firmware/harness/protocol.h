/* The UART command set of MLPerf Tiny (EEMBC), with extensions that its runner ignores. See docs in protocol.c. */
#ifndef WC_PROTOCOL_H
#define WC_PROTOCOL_H

/* Announces the device and answers commands for ever. */
void wc_serve(void) __attribute__((noreturn));

#endif
