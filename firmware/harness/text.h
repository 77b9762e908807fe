/* Printing numbers and reading words, without printf. */
#ifndef WC_TEXT_H
#define WC_TEXT_H

#include <stdint.h>

void wc_put(const char *text);
/* Text from outside: anything that is not printable ASCII becomes '?'. */
void wc_put_quoted(const char *text);
void wc_put_u32(uint32_t value);
void wc_put_hex32(uint32_t value);
void wc_put_hex8(uint8_t value);
/* value * 1e-12, with six decimals, rounded towards zero. */
void wc_put_pico(int64_t value);
void wc_end(void);

/* The next word of *cursor, cut off with a zero; null if there is none. */
char *wc_word(char **cursor);
/* A decimal number without sign; 0 if it is none or does not fit into 31 bits. */
int wc_parse_u32(const char *word, uint32_t *value);
/* Value of a hex digit, or -1. */
int wc_hex_digit(char c);

#endif
