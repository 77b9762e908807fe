/* The five things that a program without a C library asks of Linux on x86-64. */
#ifndef WC_SYSTEM_H
#define WC_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

/* Read or write exactly so many bytes of standard input or output; ends the program (exit code 3) where that fails. */
void wc_read_all(void *to, size_t bytes);
void wc_write_all(const void *from, size_t bytes);

/* Fresh memory, zeroed; ends the program (exit code 4) where there is none. */
void *wc_map(size_t bytes);

/* Nanoseconds of the monotonic clock. */
uint64_t wc_now_ns(void);

_Noreturn void wc_exit(int code);

/* Defined by main.c: the program's words after its name. */
int wc_main(int count, char **words);

#endif
