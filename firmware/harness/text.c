/* Printing numbers and reading words, without printf. */
#include "text.h"

#include "port.h"

void wc_put(const char *text)
{
    while (*text)
        wc_port_putc(*text++);
}

void wc_put_quoted(const char *text)
{
    for (; *text; ++text)
        wc_port_putc(*text >= 0x20 && *text < 0x7F ? *text : '?');
}

static void put_digits(uint64_t value, int at_least)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value || n < at_least);
    while (n)
        wc_port_putc(digits[--n]);
}

void wc_put_u32(uint32_t value) { put_digits(value, 1); }

void wc_put_hex8(uint8_t value)
{
    wc_port_putc("0123456789abcdef"[value >> 4]);
    wc_port_putc("0123456789abcdef"[value & 15]);
}

void wc_put_hex32(uint32_t value)
{
    wc_put("0x");
    for (int shift = 24; shift >= 0; shift -= 8)
        wc_put_hex8((uint8_t)(value >> shift));
}

void wc_put_pico(int64_t value)
{
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const uint64_t micro = magnitude / 1000000u;
    if (value < 0 && micro)
        wc_port_putc('-');
    put_digits(micro / 1000000u, 1);
    wc_port_putc('.');
    put_digits(micro % 1000000u, 6);
}

void wc_end(void) { wc_put("\r\n"); }

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

char *wc_word(char **cursor)
{
    char *p = *cursor;
    while (is_space(*p))
        ++p;
    if (!*p) {
        *cursor = p;
        return 0;
    }
    char *const word = p;
    while (*p && !is_space(*p))
        ++p;
    if (*p)
        *p++ = 0;
    *cursor = p;
    return word;
}

int wc_parse_u32(const char *word, uint32_t *value)
{
    uint32_t sum = 0;
    const char *p = word;
    for (; *p >= '0' && *p <= '9'; ++p) {
        const uint32_t digit = (uint32_t)(*p - '0');
        if (sum > (0x7FFFFFFFu - digit) / 10u)
            return 0;
        sum = sum * 10u + digit;
    }
    if (p == word || *p)
        return 0;
    *value = sum;
    return 1;
}

int wc_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
