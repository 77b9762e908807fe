/* Arm MPS2 boards (AN385 M3, AN386 M4, AN500 M7, AN505 M33): CMSDK APB UART 0 and the FPGA's microsecond counter.
 *
 * CMSDK UART: Cortex-M System Design Kit TRM (Arm DDI 0479), "APB UART". Addresses: AN385/AN386/AN500 and, for the secure
 * aliases, AN505; both as `info mtree` of qemu-system-arm 7.2 shows them.
 */
#include "cortex_m.h"
#include "port.h"
#include "protocol.h"

#ifdef __ARM_ARCH_8M_MAIN__
#define UART_BASE 0x50200000u
#define FPGAIO_BASE 0x50302000u
#define CLOCK_HZ 20000000u
#else
#define UART_BASE 0x40004000u
#define FPGAIO_BASE 0x40028000u
#define CLOCK_HZ 25000000u
#endif

#define UART_DATA REGISTER(UART_BASE + 0x00)
#define UART_STATE REGISTER(UART_BASE + 0x04)
#define UART_CTRL REGISTER(UART_BASE + 0x08)
#define UART_BAUDDIV REGISTER(UART_BASE + 0x10)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX_RX_ENABLE 3u

#define FPGAIO_COUNTER REGISTER(FPGAIO_BASE + 0x18)
#define FPGAIO_PRESCALE REGISTER(FPGAIO_BASE + 0x1C)

#define BAUD 115200u

void wc_port_init(void)
{
    UART_BAUDDIV = (CLOCK_HZ + BAUD / 2) / BAUD;
    UART_CTRL = CTRL_TX_RX_ENABLE;
    FPGAIO_PRESCALE = CLOCK_HZ / 1000000u - 1u;
    FPGAIO_COUNTER = 0;
}

void wc_port_run(void) { wc_serve(); }

char wc_port_getc(void)
{
    while (!(UART_STATE & STATE_RX_FULL))
        ;
    return (char)UART_DATA;
}

void wc_port_putc(char c)
{
    while (UART_STATE & STATE_TX_FULL)
        ;
    UART_DATA = (uint8_t)c;
}

uint32_t wc_port_micros(void) { return FPGAIO_COUNTER; }
uint32_t wc_port_clock_hz(void) { return CLOCK_HZ; }
const char *wc_port_clock_source(void) { return "FPGA oscillator"; }
const char *wc_port_clock_problem(void) { return 0; }
void wc_port_reset(void) { wc_system_reset(); }
