/* main: the same for every port. */
#include "port.h"
#include "whycycles.h"

/* The device is ready: a host without a UART stops here, places the inputs and calls wc_infer. */
__attribute__((noinline, used)) void wc_idle(void) { __asm volatile("@ idle" ::: "memory"); }

int main(void)
{
    wc_port_init();
    wc_idle();
    wc_port_run();
}
