/* What the machine itself costs, measured on it. */
#ifndef WC_PROBE_H
#define WC_PROBE_H

#include <stdint.h>

/* Writes six doubles to standard output, in ns: a dependent addition; the shortest instruction; a mispredicted branch; then for `bytes` of memory a cache line read in order, the same where each line's address is in the one before; and the
 * lines that were read. */
void wc_probe_machine(uint64_t bytes);

#endif
