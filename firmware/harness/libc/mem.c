/* memcpy and friends: word-wise, for both compilers, so that kernels are compared on the same libc.
 *
 * The run-time ABI's __aeabi_mem* are here too; otherwise clang's would come from compiler-rt and gcc's from nowhere.
 */
#include <stdint.h>
#include <string.h>

/* A word that may alias anything; the second may also lie at any address (ARMv7-M and later load it with one LDR). */
typedef uint32_t __attribute__((may_alias)) word_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) loose_word_t;

static inline unsigned misaligned(const void *p) { return (unsigned)(uintptr_t)p & 3u; }

/* Whether two pointers reach word alignment together, or the core loads unaligned words anyway. */
static inline int words_work(const void *a, const void *b)
{
#ifdef __ARM_FEATURE_UNALIGNED
    (void)a;
    (void)b;
    return 1;
#else
    return misaligned(a) == misaligned(b);
#endif
}

void *memcpy(void *__restrict destination, const void *__restrict source, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    if (bytes >= 8 && words_work(to, from)) {
        while (misaligned(to)) {
            *to++ = *from++;
            --bytes;
        }
        if (misaligned(from) == 0) {
            for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
                const word_t a = ((const word_t *)from)[0], b = ((const word_t *)from)[1];
                const word_t c = ((const word_t *)from)[2], d = ((const word_t *)from)[3];
                ((word_t *)to)[0] = a;
                ((word_t *)to)[1] = b;
                ((word_t *)to)[2] = c;
                ((word_t *)to)[3] = d;
            }
            for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
                *(word_t *)to = *(const word_t *)from;
        }
#ifdef __ARM_FEATURE_UNALIGNED
        else {
            for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
                *(word_t *)to = *(const loose_word_t *)from;
        }
#endif
    }
    while (bytes--)
        *to++ = *from++;
    return destination;
}

void *memmove(void *destination, const void *source, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    if (to <= from || to >= from + bytes) {
        /* forwards is safe: words are read before the word that overlaps them is written */
        if (bytes >= 8 && misaligned(to) == misaligned(from)) {
            while (misaligned(to)) {
                *to++ = *from++;
                --bytes;
            }
            for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
                *(word_t *)to = *(const word_t *)from;
        }
        while (bytes--)
            *to++ = *from++;
        return destination;
    }
    to += bytes;
    from += bytes;
    if (bytes >= 8 && misaligned(to) == misaligned(from)) {
        while (misaligned(to)) {
            *--to = *--from;
            --bytes;
        }
        for (; bytes >= 4; bytes -= 4) {
            to -= 4;
            from -= 4;
            *(word_t *)to = *(const word_t *)from;
        }
    }
    while (bytes--)
        *--to = *--from;
    return destination;
}

void *memset(void *destination, int value, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t byte = (uint8_t)value;
    if (bytes >= 8) {
        const word_t word = byte * 0x01010101u;
        while (misaligned(to)) {
            *to++ = byte;
            --bytes;
        }
        for (; bytes >= 16; bytes -= 16, to += 16) {
            ((word_t *)to)[0] = word;
            ((word_t *)to)[1] = word;
            ((word_t *)to)[2] = word;
            ((word_t *)to)[3] = word;
        }
        for (; bytes >= 4; bytes -= 4, to += 4)
            *(word_t *)to = word;
    }
    while (bytes--)
        *to++ = byte;
    return destination;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    for (; bytes; --bytes, ++x, ++y)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        ++end;
    return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        ++a;
        ++b;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

/* Run-time ABI for the Arm architecture, section 4.3.4: memset's arguments are swapped, nothing is returned. */
#define ALIAS_COPY(name, of) void *name(void *, const void *, size_t) __attribute__((alias(of)))
ALIAS_COPY(__aeabi_memcpy, "memcpy");
ALIAS_COPY(__aeabi_memcpy4, "memcpy");
ALIAS_COPY(__aeabi_memcpy8, "memcpy");
ALIAS_COPY(__aeabi_memmove, "memmove");
ALIAS_COPY(__aeabi_memmove4, "memmove");
ALIAS_COPY(__aeabi_memmove8, "memmove");

void __aeabi_memset(void *destination, size_t bytes, int value) { memset(destination, value, bytes); }
void __aeabi_memclr(void *destination, size_t bytes) { memset(destination, 0, bytes); }
#define ALIAS(name, of, ...) void name(__VA_ARGS__) __attribute__((alias(of)))
ALIAS(__aeabi_memset4, "__aeabi_memset", void *, size_t, int);
ALIAS(__aeabi_memset8, "__aeabi_memset", void *, size_t, int);
ALIAS(__aeabi_memclr4, "__aeabi_memclr", void *, size_t);
ALIAS(__aeabi_memclr8, "__aeabi_memclr", void *, size_t);
