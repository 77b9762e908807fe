/* STM32F405 (Olimex STM32-H405; QEMU's netduinoplus2): 8 MHz crystal and PLL up to 168 MHz, USART2, DWT cycle counter.
 *
 * Addresses: STMicroelectronics/cmsis_device_f4:Include/stm32f405xx.h@09738918. RCC: embassy-rs/stm32-data:data/registers/rcc_f4.yaml@01a757e4.
 * FLASH: flash_f4.yaml@10004836. PWR: pwr_f4.yaml@1b39301d. USART: usart_v1.yaml@1b39301d. APB1 42 MHz and APB2 84 MHz at most: DocID022152 Rev 4
 * table 14 (pdf.ic37.com/STMICROELECTRONICS/STM32F405IGT6_datasheet_12724183/STM32F405IGT6_77.html).
 * Crystal and pins: zephyrproject-rtos/zephyr:boards/olimex/stm32_h405/olimex_stm32_h405.dts@39821fcd (8 MHz; usart2 on PA2 and PA3, alternate
 * function 7; EXT2 pins 7 and 10). Marker pin: PC0.
 */
#include "port.h"
#include "protocol.h"
#include "stm32.h"

WC_INTERRUPTS(82); /* the last one is FPU, 81 */

#define RESET_HZ 16000000u /* HSI */

#define USART2_SR REGISTER(0x40004400u)
#define USART2_DR REGISTER(0x40004404u)
#define USART2_BRR REGISTER(0x40004408u)
#define USART2_CR1 REGISTER(0x4000440Cu)
#define GPIOA 0x40020000u
#define GPIOC 0x40020800u
#define UART_FUNCTION 7u
#define MARKER 0u

#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define FLASH_ACR REGISTER(0x40023C00u)
#define PWR_CR REGISTER(0x40007000u)

static uint32_t clock_hz = RESET_HZ;
static const char *problem;

static const char *set_clock(void)
{
    PWR_CR |= 1u << 14; /* VOS: scale 1, the reset value */
    RCC_CR |= 1u << 16; /* HSEON */
    if (!wc_wait(&RCC_CR, 1u << 17, 1u << 17)) /* HSERDY */
        return "crystal not ready";
    /* 8 MHz / 4 * N / 2, N in MHz; Q keeps USB's clock at 48 MHz or below */
    RCC_PLLCFGR = 7u << 24 | 1u << 22 | (WC_CLOCK_HZ / 1000000u) << 6 | 4u; /* PLLQ, PLLSRC HSE, PLLN, PLLM; PLLP /2 is 0 */
    RCC_CR |= 1u << 24; /* PLLON */
    if (!wc_wait(&RCC_CR, 1u << 25, 1u << 25)) /* PLLRDY */
        return "PLL not ready";
    FLASH_ACR = 1u << 10 | 1u << 9 | WC_PREFETCH << 8 | WC_WAIT_STATES; /* DCEN, ICEN, PRFTEN, LATENCY */
    if (!wc_wait(&FLASH_ACR, 7u, WC_WAIT_STATES))
        return "flash wait states not taken";
    RCC_CFGR = 4u << 13 | 5u << 10 | 2u; /* PPRE2 /2, PPRE1 /4, SW PLL */
    if (!wc_wait(&RCC_CFGR, 3u << 2, 2u << 2)) /* SWS */
        return "clock not switched to the PLL";
    return 0;
}

void wc_port_init(void)
{
    RCC_APB1ENR |= 1u << 28 | 1u << 17 | 1u << 0; /* PWREN, USART2EN, TIM2EN */
    RCC_AHB1ENR |= 1u << 2 | 1u << 0; /* GPIOC, GPIOA */
    (void)RCC_AHB1ENR;
    problem = set_clock();
    if (!problem)
        clock_hz = WC_CLOCK_HZ;
    /* APB1 is a quarter of the core clock once it is set, and its timers run at twice that */
    const uint32_t uart_hz = problem ? RESET_HZ : WC_CLOCK_HZ / 4u, timer_hz = problem ? RESET_HZ : WC_CLOCK_HZ / 2u;
    gpio_alternate(GPIOA, 2, UART_FUNCTION);
    gpio_alternate(GPIOA, 3, UART_FUNCTION);
    gpio_output(GPIOC, MARKER);
    USART2_BRR = (uart_hz + BAUD / 2u) / BAUD;
    USART2_CR1 = 1u << 13 | 1u << 3 | 1u << 2; /* UE, TE, RE */
    timer_start(timer_hz);
}

void wc_port_run(void) { wc_serve(); }

char wc_port_getc(void)
{
    /* reading SR and then DR clears an overrun as well */
    while (!(USART2_SR & 1u << 5)) /* RXNE */
        ;
    return (char)USART2_DR;
}

void wc_port_putc(char c)
{
    while (!(USART2_SR & 1u << 7)) /* TXE */
        ;
    USART2_DR = (uint8_t)c;
}

uint32_t wc_port_micros(void) { return TIM2_CNT; }
uint32_t wc_port_clock_hz(void) { return clock_hz; }
const char *wc_port_clock_source(void) { return problem ? "HSI 16 MHz" : "HSE 8 MHz crystal"; }
const char *wc_port_clock_problem(void) { return problem; }
void wc_port_reset(void) { wc_system_reset(); }
void wc_port_mark(int on) { gpio_write(GPIOC, MARKER, on); }
