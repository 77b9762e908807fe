/* STM32H743 on a NUCLEO-H743ZI: 8 MHz from the ST-LINK and PLL1 up to 480 MHz (VOS0), both caches on, USART3 to the virtual COM port.
 *
 * Addresses: STMicroelectronics/cmsis_device_h7:Include/stm32h743xx.h@3b6fd841. RCC: embassy-rs/stm32-data:data/registers/
 * rcc_h7rm0433.yaml@01a757e4. PWR: pwr_h7rm0433.yaml@afee4331. FLASH: flash_h7.yaml@114bd7fb. SYSCFG (PWRCR at 0x2C, ODEN): syscfg_h7.yaml@137611f0.
 * Voltage scale 1 carries a core of 400 MHz, an AHB of 200 MHz and APBs of 100 MHz (src/rcc/mod.rs as below, rcc_hclk_max): beyond, scale 0.
 * Order of supply, voltage, overdrive, PLL and prescalers, limits (AHB 240 MHz, APB 120 MHz) and WRHIGHFREQ per AXI clock: RM0433 as
 * stm32-rs/stm32h7xx-hal:src/pwr.rs@0007f300 and src/rcc/mod.rs@03b8dcf0 state it. Caches: ARM-software/CMSIS_5:
 * CMSIS/Core/Include/cachel1_armv7.h@0efc88ca; registers: ARMv7-M Architecture Reference Manual (DDI 0403), B3.2 and B4.
 * Clock input and pins: zephyrproject-rtos/zephyr:boards/st/nucleo_h743zi/nucleo_h743zi.dts@0225b4db (hse-bypass 8 MHz, usart3 on PD8 and PD9,
 * alternate function 7). Marker pin: D7 of the Arduino header, PG12 (arduino_r3_connector.dtsi@06758ff2 in the same folder).
 * Revision Y (DBGMCU_IDCODE 0x1003) ends at 400 MHz and needs the AXI SRAM's read issuing capability at 1 (ST's errata sheet ES0392, 2.2.10).
 */
#include "port.h"
#include "protocol.h"
#include "stm32.h"

WC_INTERRUPTS(150); /* the last one is WAKEUP_PIN, 149 */

#define RESET_HZ 64000000u /* HSI */
#define AHB_DIVIDED (WC_CLOCK_HZ > 240000000u)
#define AHB_HZ (AHB_DIVIDED ? WC_CLOCK_HZ / 2u : WC_CLOCK_HZ)
#define VOS0 (AHB_HZ > 200000000u) /* so too for a core beyond 400 MHz, whose AHB runs at half its clock */
#define WRHIGHFREQ (AHB_HZ <= 70000000u ? 0u : AHB_HZ <= 185000000u ? 1u : 2u)

#define USART3 0x40004800u
#define GPIOD 0x58020C00u
#define GPIOG 0x58021800u
#define UART_FUNCTION 7u
#define MARKER 12u

#define RCC_CR REGISTER(0x58024400u)
#define RCC_CFGR REGISTER(0x58024410u)
#define RCC_D1CFGR REGISTER(0x58024418u)
#define RCC_D2CFGR REGISTER(0x5802441Cu)
#define RCC_D3CFGR REGISTER(0x58024420u)
#define RCC_PLLCKSELR REGISTER(0x58024428u)
#define RCC_PLLCFGR REGISTER(0x5802442Cu)
#define RCC_PLL1DIVR REGISTER(0x58024430u)
#define RCC_AHB4ENR REGISTER(0x580244E0u)
#define RCC_APB1LENR REGISTER(0x580244E8u)
#define RCC_APB4ENR REGISTER(0x580244F4u)
#define PWR_CSR1 REGISTER(0x58024804u)
#define PWR_CR3 REGISTER(0x5802480Cu)
#define PWR_D3CR REGISTER(0x58024818u)
#define FLASH_ACR REGISTER(0x52002000u)
#define SYSCFG_PWRCR REGISTER(0x5800042Cu)
#define DBGMCU_IDCODE REGISTER(0x5C001000u)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108u)
#define REVISION_Y 0x1003u

#define SCB_CCR REGISTER(0xE000ED14u)
#define SCB_CCSIDR REGISTER(0xE000ED80u)
#define SCB_CSSELR REGISTER(0xE000ED84u)
#define SCB_ICIALLU REGISTER(0xE000EF50u)
#define SCB_DCISW REGISTER(0xE000EF60u)

static uint32_t clock_hz = RESET_HZ;
static const char *problem;

static void caches_on(void)
{
    __asm volatile("dsb\n\tisb" ::: "memory");
    SCB_ICIALLU = 0;
    SCB_CSSELR = 0; /* level 1, data */
    __asm volatile("dsb" ::: "memory");
    const uint32_t size = SCB_CCSIDR;
    for (uint32_t set = 0; set <= (size >> 13 & 0x7FFFu); ++set)
        for (uint32_t way = 0; way <= (size >> 3 & 0x3FFu); ++way)
            SCB_DCISW = way << 30 | set << 5; /* four ways, lines of 32 bytes */
    __asm volatile("dsb" ::: "memory");
    SCB_CCR |= 1u << 17 | 1u << 16; /* IC, DC */
    __asm volatile("dsb\n\tisb" ::: "memory");
}

static const char *set_clock(void)
{
    const uint32_t revision = DBGMCU_IDCODE >> 16;
    if (revision == REVISION_Y) {
        AXI_TARG7_FN_MOD = 1u;
        if (VOS0)
            return "revision Y runs at 400 MHz at most, its bus at 200 MHz";
    }
    PWR_CR3 = (PWR_CR3 & ~1u) | 1u << 2 | 1u << 1; /* no BYPASS; SCUEN, LDOEN: written once after power-up, so a second boot changes nothing */
    if (!wc_wait(&PWR_CSR1, 1u << 13, 1u << 13)) /* ACTVOSRDY */
        return "supply not ready";
    PWR_D3CR = 3u << 14; /* VOS1 */
    if (!wc_wait(&PWR_D3CR, 1u << 13, 1u << 13)) /* VOSRDY */
        return "voltage scale 1 not reached";
    if (VOS0) {
        RCC_APB4ENR |= 1u << 1; /* SYSCFGEN */
        (void)RCC_APB4ENR;
        SYSCFG_PWRCR |= 1u; /* ODEN: VOS0 */
        (void)SYSCFG_PWRCR; /* taken, before VOSRDY is asked for */
        if (!wc_wait(&PWR_D3CR, 1u << 13, 1u << 13))
            return "voltage scale 0 not reached";
    }
    RCC_CR |= 1u << 18; /* HSEBYP: the ST-LINK's clock is no crystal */
    RCC_CR |= 1u << 16; /* HSEON */
    if (!wc_wait(&RCC_CR, 1u << 17, 1u << 17)) /* HSERDY */
        return "no 8 MHz from the ST-LINK";
    /* 8 MHz / 4 * N / 2, N in MHz */
    RCC_PLLCKSELR = (RCC_PLLCKSELR & ~(0x3Fu << 4 | 3u)) | 4u << 4 | 2u; /* DIVM1, PLLSRC HSE */
    RCC_PLLCFGR = (RCC_PLLCFGR & ~(7u << 16 | 0xFu)) | 1u << 16 | 1u << 2; /* DIVP1EN, PLL1RGE 2 to 4 MHz, wide VCO */
    RCC_PLL1DIVR = 1u << 24 | 1u << 16 | 1u << 9 | (WC_CLOCK_HZ / 1000000u - 1u); /* R, Q and P are 2 */
    RCC_CR |= 1u << 24; /* PLL1ON */
    if (!wc_wait(&RCC_CR, 1u << 25, 1u << 25)) /* PLL1RDY */
        return "PLL not ready";
    FLASH_ACR = WRHIGHFREQ << 4 | WC_WAIT_STATES;
    if (!wc_wait(&FLASH_ACR, 0xFu, WC_WAIT_STATES))
        return "flash wait states not taken";
    RCC_D1CFGR = 4u << 4 | (AHB_DIVIDED ? 8u : 0u); /* D1PPRE /2, HPRE, D1CPRE /1 */
    RCC_D2CFGR = 4u << 8 | 4u << 4; /* both APBs /2 */
    RCC_D3CFGR = 4u << 4;
    RCC_CFGR = 3u; /* SW PLL1; TIMPRE 0: timers run at twice their APB */
    if (!wc_wait(&RCC_CFGR, 7u << 3, 3u << 3)) /* SWS */
        return "clock not switched to the PLL";
    return 0;
}

void wc_port_init(void)
{
    problem = set_clock();
    if (!problem)
        clock_hz = WC_CLOCK_HZ;
    /* after reset nothing is divided; else APB1 runs at half the AHB clock, and timer 2 at twice that */
    const uint32_t timer_hz = problem ? RESET_HZ : AHB_HZ, uart_hz = problem ? RESET_HZ : AHB_HZ / 2u;
    RCC_APB1LENR |= 1u << 18 | 1u << 0; /* USART3EN, clocked by PCLK1; TIM2EN */
    RCC_AHB4ENR |= 1u << 6 | 1u << 3; /* GPIOG, GPIOD */
    (void)RCC_AHB4ENR;
    gpio_alternate(GPIOD, 8, UART_FUNCTION);
    gpio_alternate(GPIOD, 9, UART_FUNCTION);
    gpio_output(GPIOG, MARKER);
    uart2_start(USART3, (uart_hz + BAUD / 2u) / BAUD);
    timer_start(timer_hz);
    caches_on();
}

void wc_port_run(void) { wc_serve(); }
char wc_port_getc(void) { return uart2_getc(USART3); }
void wc_port_putc(char c) { uart2_putc(USART3, c); }
uint32_t wc_port_micros(void) { return TIM2_CNT; }
uint32_t wc_port_clock_hz(void) { return clock_hz; }
const char *wc_port_clock_source(void) { return problem ? "HSI 64 MHz" : "HSE 8 MHz from the ST-LINK"; }
const char *wc_port_clock_problem(void) { return problem; }
void wc_port_reset(void) { wc_system_reset(); }
void wc_port_mark(int on) { gpio_write(GPIOG, MARKER, on); }
