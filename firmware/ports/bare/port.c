/* The port without a UART: an emulator stops at wc_idle, places inputs and calls wc_infer itself. */
#include "port.h"

void wc_port_init(void) {}

void wc_port_run(void)
{
    for (;;)
        __asm volatile("");
}
