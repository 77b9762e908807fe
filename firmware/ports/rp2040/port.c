/* RP2040 on a Raspberry Pi Pico: 12 MHz crystal and PLL up to 133 MHz, UART0 on GP0 and GP1, one core.
 *
 * Addresses: raspberrypi/pico-sdk:src/rp2040/hardware_regs/include/hardware/regs/addressmap.h@1f1c341a. Registers and bits: the headers
 * clocks.h, pll.h, xosc.h, resets.h, watchdog.h, timer.h, uart.h, psm.h and sio.h in src/rp2040/hardware_structs/include/hardware/structs@00705dfa
 * (RP2040 Datasheet, register lists). Order of the PLL: src/rp2_common/hardware_pll/pll.c@01aafa5a. XOSC's codes: 0xfab enable, 0xaa0 1 to 15 MHz.
 * Whole-chip restart through the watchdog: src/rp2_common/hardware_watchdog/watchdog.c@6d4ebbf8. Functions of pins: 2 UART, 5 SIO. Marker pin: GP2.
 *
 * Cycles: the Cortex-M0+ has no DWT counter. SysTick counts 24 bits of core cycles, the timer counts microseconds of the same crystal; together
 * they make 32 bits, exact to the cycle, as long as the two do not drift apart by 2^23 cycles (67 ms), which one crystal excludes.
 */
#include "port.h"
#include "protocol.h"
#include "cortex_m.h"

WC_INTERRUPTS(26);

#define RESET_HZ 6500000u /* ROSC, which is anywhere from 1.8 to 12 MHz: nothing that is timed with it counts */
#define CRYSTAL_MHZ 12u
#define BAUD 115200u
#define SET 0x2000u
#define CLEAR 0x3000u

#define CLOCKS 0x40008000u
#define CLK_REF_CTRL REGISTER(CLOCKS + 0x30u)
#define CLK_REF_SELECTED REGISTER(CLOCKS + 0x38u)
#define CLK_SYS_CTRL REGISTER(CLOCKS + 0x3Cu)
#define CLK_SYS_SELECTED REGISTER(CLOCKS + 0x44u)
#define CLK_PERI_CTRL REGISTER(CLOCKS + 0x48u)
#define RESETS 0x4000C000u
#define RESET_DONE REGISTER(RESETS + 0x8u)
#define R_IO_BANK0 (1u << 5)
#define R_PADS_BANK0 (1u << 8)
#define R_PLL_SYS (1u << 12)
#define R_TIMER (1u << 21)
#define R_UART0 (1u << 22)
#define PSM_WDSEL REGISTER(0x40010008u)
#define GPIO_CTRL(pin) REGISTER(0x40014000u + 8u * (pin) + 4u)
#define XOSC_CTRL REGISTER(0x40024000u)
#define XOSC_STATUS REGISTER(0x40024004u)
#define XOSC_STARTUP REGISTER(0x4002400Cu)
#define PLL_SYS 0x40028000u
#define UART0 0x40034000u
#define UART_DR REGISTER(UART0 + 0x00u)
#define UART_FR REGISTER(UART0 + 0x18u)
#define UART_IBRD REGISTER(UART0 + 0x24u)
#define UART_FBRD REGISTER(UART0 + 0x28u)
#define UART_LCR_H REGISTER(UART0 + 0x2Cu)
#define UART_CR REGISTER(UART0 + 0x30u)
#define TIMERAWL REGISTER(0x40054028u)
#define WATCHDOG_CTRL REGISTER(0x40058000u)
#define WATCHDOG_SCRATCH4 REGISTER(0x4005801Cu)
#define WATCHDOG_TICK REGISTER(0x4005802Cu)
#define SIO_OUT_SET REGISTER(0xD0000014u)
#define SIO_OUT_CLR REGISTER(0xD0000018u)
#define SIO_OE_SET REGISTER(0xD0000024u)
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define MARKER 2u

static uint32_t clock_hz = RESET_HZ, phase;
static const char *problem;

static int release(uint32_t blocks)
{
    REGISTER(RESETS + CLEAR) = blocks;
    return wc_wait(&RESET_DONE, blocks, blocks);
}

static const char *set_clock(void)
{
    XOSC_STARTUP = 47u * 64u; /* 64 ms: some boards' crystals start slowly */
    XOSC_CTRL = 0xFABu << 12 | 0xAA0u;
    if (!wc_wait(&XOSC_STATUS, 1u << 31, 1u << 31)) /* STABLE */
        return "crystal not stable";
    CLK_REF_CTRL = 2u; /* XOSC */
    if (!wc_wait(&CLK_REF_SELECTED, 1u << 2, 1u << 2))
        return "reference clock not switched to the crystal";
    CLK_SYS_CTRL = 0; /* by way of the reference: the other sources may glitch */
    if (!wc_wait(&CLK_SYS_SELECTED, 1u << 0, 1u << 0))
        return "system clock not switched to the reference";
    REGISTER(RESETS + SET) = R_PLL_SYS;
    if (!release(R_PLL_SYS))
        return "PLL not out of reset";
    REGISTER(PLL_SYS + 0x0u) = 1u; /* REFDIV */
    REGISTER(PLL_SYS + 0x8u) = WC_CLOCK_HZ / 1000000u; /* FBDIV: 12 MHz * N / 6 / 2 */
    REGISTER(PLL_SYS + 0x4u + CLEAR) = 1u << 5 | 1u << 0; /* VCOPD, PD */
    if (!wc_wait(&REGISTER(PLL_SYS), 1u << 31, 1u << 31)) /* LOCK */
        return "PLL not locked";
    REGISTER(PLL_SYS + 0xCu) = 6u << 16 | 2u << 12; /* POSTDIV1, POSTDIV2 */
    REGISTER(PLL_SYS + 0x4u + CLEAR) = 1u << 3; /* POSTDIVPD */
    CLK_SYS_CTRL = 0u << 5; /* AUXSRC PLL_SYS, still on the reference */
    CLK_SYS_CTRL = 1u; /* SRC AUX */
    if (!wc_wait(&CLK_SYS_SELECTED, 1u << 1, 1u << 1))
        return "system clock not switched to the PLL";
    WATCHDOG_TICK = 1u << 9 | CRYSTAL_MHZ; /* the timer's microsecond */
    return 0;
}

static void cycles_start(void)
{
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0;
    SYST_CSR = 1u << 2 | 1u << 0; /* core clock, on, no interrupt */
    phase = 0u - SYST_CVR - TIMERAWL * (WC_CLOCK_HZ / 1000000u);
}

uint32_t wc_port_cycles(void)
{
    const uint32_t coarse = TIMERAWL * (WC_CLOCK_HZ / 1000000u) + phase;
    const uint32_t low = 0u - SYST_CVR; /* it counts down */
    return coarse + (uint32_t)((int32_t)((low - coarse) << 8) >> 8);
}

void wc_port_init(void)
{
    (void)release(R_IO_BANK0 | R_PADS_BANK0 | R_TIMER);
    problem = set_clock();
    if (!problem)
        clock_hz = WC_CLOCK_HZ;
    CLK_PERI_CTRL = 1u << 11; /* ENABLE, from the system clock */
    (void)release(R_UART0);
    const uint32_t divisor = 8u * clock_hz / BAUD;
    UART_IBRD = divisor >> 7;
    UART_FBRD = ((divisor & 0x7Fu) + 1u) / 2u;
    UART_LCR_H = 3u << 5 | 1u << 4; /* eight bits, FIFOs on */
    UART_CR = 1u << 9 | 1u << 8 | 1u << 0; /* RXE, TXE, UARTEN */
    GPIO_CTRL(0) = 2u;
    GPIO_CTRL(1) = 2u;
    SIO_OUT_CLR = 1u << MARKER;
    SIO_OE_SET = 1u << MARKER;
    GPIO_CTRL(MARKER) = 5u;
    cycles_start();
}

void wc_port_run(void) { wc_serve(); }

char wc_port_getc(void)
{
    while (UART_FR & 1u << 4) /* RXFE */
        ;
    return (char)UART_DR;
}

void wc_port_putc(char c)
{
    while (UART_FR & 1u << 5) /* TXFF */
        ;
    UART_DR = (uint8_t)c;
}

uint32_t wc_port_micros(void) { return TIMERAWL; }
uint32_t wc_port_clock_hz(void) { return clock_hz; }
const char *wc_port_clock_source(void) { return problem ? "ROSC, uncalibrated" : "XOSC 12 MHz crystal"; }
const char *wc_port_clock_problem(void) { return problem; }
void wc_port_mark(int on) { *(on ? &SIO_OUT_SET : &SIO_OUT_CLR) = 1u << MARKER; }

void wc_port_reset(void)
{
    /* everything but the oscillators, and an ordinary boot afterwards */
    WATCHDOG_SCRATCH4 = 0;
    PSM_WDSEL = 0x1FFFCu;
    WATCHDOG_CTRL = 1u << 31; /* TRIGGER */
    for (;;)
        __asm volatile("");
}
