/* What the reset handler does behind its write to CPACR, in a header of its own: the line numbers of startup.c, and so the ELF of every
 * core without Helium, stay what they were.
 */
#ifndef WC_ENABLE_H
#define WC_ENABLE_H

#include <stdint.h>

#ifdef __ARM_FEATURE_MVE
/* CCR.LOB (bit 19 of 0xE000ED14): a loop's end (LE) is remembered, so that only its first and last execution cost anything */
#define WC_ENABLE_VECTORS \
    "dsb\n\tisb\n\tmovw r0, #0xed14\n\tmovt r0, #0xe000\n\tldr r1, [r0]\n\torr r1, r1, #0x80000\n\tstr r1, [r0]\n\tdsb\n\tisb" \
        ::: "r0", "r1", "memory"
#else
#define WC_ENABLE_VECTORS "dsb\n\tisb" ::: "memory"
#endif

#endif
