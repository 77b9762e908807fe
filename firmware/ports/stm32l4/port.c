/* STM32L4R5 on a NUCLEO-L4R5ZI: MSI and PLL up to 120 MHz, LPUART1 to the ST-LINK's virtual COM port, DWT cycle counter.
 *
 * Addresses: CMSIS header of the STM32L4R5 (see stm32.h), "Peripheral_memory_map". RCC: embassy-rs/stm32-data:
 * data/registers/rcc_l4plus.yaml@07cf0f65. FLASH: flash_l4.yaml@1cfb795d. PWR: pwr_l4.yaml@137611f0; CR5 at 0x80 in the CMSIS header, its
 * R1MODE (bit 8, 0: boost, needed above 80 MHz) as ST's headers name it (PWR_CR5_R1MODE_Pos 8).
 * Pins of the UART: zephyrproject-rtos/zephyr:boards/st/nucleo_l4r5zi/nucleo_l4r5zi.dts@0225b4db (lpuart1_tx_pg7, lpuart1_rx_pg8), alternate
 * function 8. Marker pin: D7 of the Arduino header, PF13 (arduino_r3_connector.dtsi@0fdf1091 in the same folder).
 * WC_CLOCK_HZ, WC_WAIT_STATES and WC_PREFETCH come from the board's description.
 */
#include "port.h"
#include "protocol.h"
#include "stm32.h"

WC_INTERRUPTS(95); /* the last one is DMAMUX1_OVR, 94 */

#define RESET_HZ 4000000u /* MSI, range 6 */

#define LPUART1 0x40008000u
#define GPIOF 0x48001400u
#define GPIOG 0x48001800u
#define UART_FUNCTION 8u
#define MARKER 13u

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_AHB2ENR REGISTER(0x4002104Cu)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define RCC_APB1ENR2 REGISTER(0x4002105Cu)
#define RCC_BDCR REGISTER(0x40021090u)
#define FLASH_ACR REGISTER(0x40022000u)
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CR2 REGISTER(0x40007004u)
#define PWR_SR2 REGISTER(0x40007014u)
#define PWR_CR5 REGISTER(0x40007080u)

static uint32_t clock_hz = RESET_HZ;
static const char *problem, *source = "MSI 4 MHz, free running";

/* The crystal of 32.768 kHz trims the MSI to a fraction of its own 1 %. Without it the clock is only less exact. */
static void trim_msi(void)
{
    PWR_CR1 |= 1u << 8; /* DBP */
    RCC_BDCR |= 1u << 0; /* LSEON */
    for (int tries = 0; tries < 250; ++tries) /* it may take two seconds, once after power-up */
        if (wc_wait(&RCC_BDCR, 1u << 1, 1u << 1)) { /* LSERDY */
            RCC_CR |= 1u << 2; /* MSIPLLEN */
            source = "MSI 4 MHz, trimmed by the LSE crystal";
            return;
        }
}

static const char *set_clock(void)
{
    /* range 1 is the reset state; boost is needed above 80 MHz only, and harmless below */
    if (!wc_wait(&PWR_SR2, 1u << 10, 0)) /* VOSF */
        return "voltage range not reached";
    if (WC_CLOCK_HZ > 80000000u)
        PWR_CR5 &= ~(1u << 8);
    FLASH_ACR = 1u << 10 | 1u << 9 | WC_PREFETCH << 8 | WC_WAIT_STATES; /* DCEN, ICEN, PRFTEN, LATENCY */
    if (!wc_wait(&FLASH_ACR, 7u, WC_WAIT_STATES))
        return "flash wait states not taken";
    /* 4 MHz / 1 * N / 2 */
    RCC_PLLCFGR = 1u << 24 | (WC_CLOCK_HZ / 2000000u) << 8 | 1u; /* PLLREN, PLLN, PLLSRC MSI */
    RCC_CR |= 1u << 24; /* PLLON */
    if (!wc_wait(&RCC_CR, 1u << 25, 1u << 25)) /* PLLRDY */
        return "PLL not ready";
    /* above 80 MHz the bus clock steps over half the frequency for at least a microsecond */
    RCC_CFGR = 8u << 4; /* HPRE /2, first: it takes up to 16 cycles */
    (void)RCC_CFGR;
    RCC_CFGR = 8u << 4 | 3u; /* SW PLL */
    if (!wc_wait(&RCC_CFGR, 3u << 2, 3u << 2)) /* SWS */
        return "clock not switched to the PLL";
    for (volatile int i = 0; i < 100; ++i)
        ;
    RCC_CFGR = 3u;
    return 0;
}

void wc_port_init(void)
{
    RCC_APB1ENR1 |= 1u << 28 | 1u << 0; /* PWREN, TIM2EN */
    (void)RCC_APB1ENR1;
    problem = set_clock();
    if (!problem) {
        clock_hz = WC_CLOCK_HZ;
        trim_msi();
    }
    RCC_APB1ENR2 |= 1u << 0; /* LPUART1EN, clocked by PCLK1, which is the core clock */
    RCC_AHB2ENR |= 1u << 6 | 1u << 5; /* GPIOG, GPIOF */
    (void)RCC_AHB2ENR;
    PWR_CR2 |= 1u << 9; /* IOSV: port G has a supply of its own */
    gpio_alternate(GPIOG, 7, UART_FUNCTION);
    gpio_alternate(GPIOG, 8, UART_FUNCTION);
    gpio_output(GPIOF, MARKER);
    uart2_start(LPUART1, (uint32_t)(((uint64_t)clock_hz * 256u + BAUD / 2u) / BAUD));
    timer_start(clock_hz);
}

void wc_port_run(void) { wc_serve(); }
char wc_port_getc(void) { return uart2_getc(LPUART1); }
void wc_port_putc(char c) { uart2_putc(LPUART1, c); }
uint32_t wc_port_micros(void) { return TIM2_CNT; }
uint32_t wc_port_clock_hz(void) { return clock_hz; }
const char *wc_port_clock_source(void) { return source; }
const char *wc_port_clock_problem(void) { return problem; }
void wc_port_reset(void) { wc_system_reset(); }
void wc_port_mark(int on) { gpio_write(GPIOF, MARKER, on); }
