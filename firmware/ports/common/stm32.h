/* What the STM32 families share: GPIO ports, 32-bit timer 2 as a microsecond counter, divisors of a baud rate.
 *
 * GPIO and TIM register offsets: STMicroelectronics/cmsis_device_h7:Include/stm32h743xx.h@3b6fd841 and the CMSIS header of the STM32L4R5
 * (FranciszekJanicki/stm32_cubemx_dc_motor:Drivers/CMSIS/Device/ST/STM32L4xx/Include/stm32l4r5xx.h@b760fabe), GPIO_TypeDef and TIM_TypeDef.
 */
#ifndef WC_STM32_H
#define WC_STM32_H

#include "cortex_m.h"

#define BAUD 115200u

#define GPIO_MODER(port) REGISTER((port) + 0x00u)
#define GPIO_BSRR(port) REGISTER((port) + 0x18u)
#define GPIO_AFR(port, pin) REGISTER((port) + 0x20u + 4u * ((pin) / 8u))

static inline void gpio_mode(uint32_t port, uint32_t pin, uint32_t mode)
{
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | mode << (2u * pin);
}

static inline void gpio_output(uint32_t port, uint32_t pin)
{
    GPIO_BSRR(port) = 1u << (pin + 16u);
    gpio_mode(port, pin, 1u);
}

static inline void gpio_alternate(uint32_t port, uint32_t pin, uint32_t function)
{
    const uint32_t shift = 4u * (pin % 8u);
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(15u << shift)) | function << shift;
    gpio_mode(port, pin, 2u);
}

static inline void gpio_write(uint32_t port, uint32_t pin, int on) { GPIO_BSRR(port) = 1u << (on ? pin : pin + 16u); }

/* TIM2 is at the start of APB1 in all of them, and 32 bits wide. */
#define TIM2 0x40000000u
#define TIM2_CNT REGISTER(TIM2 + 0x24u)

static inline void timer_start(uint32_t timer_hz)
{
    REGISTER(TIM2 + 0x28u) = timer_hz / 1000000u - 1u; /* PSC */
    REGISTER(TIM2 + 0x2Cu) = 0xFFFFFFFFu;              /* ARR */
    REGISTER(TIM2 + 0x14u) = 1u;                       /* EGR: UG takes the prescaler over */
    REGISTER(TIM2 + 0x00u) = 1u;                       /* CR1: CEN */
}

/* The later USART (L4, H7) and LPUART: embassy-rs/stm32-data:data/registers/usart_v3.yaml@0d958def. */
#define UART2_CR1(base) REGISTER((base) + 0x00u)
#define UART2_CR3(base) REGISTER((base) + 0x08u)
#define UART2_BRR(base) REGISTER((base) + 0x0Cu)
#define UART2_ISR(base) REGISTER((base) + 0x1Cu)
#define UART2_RDR(base) REGISTER((base) + 0x24u)
#define UART2_TDR(base) REGISTER((base) + 0x28u)

static inline void uart2_start(uint32_t base, uint32_t divisor)
{
    UART2_CR1(base) = 0;
    UART2_CR3(base) = 1u << 12; /* OVRDIS: a lost byte must not block the receiver until a flag is cleared */
    UART2_BRR(base) = divisor;
    UART2_CR1(base) = 1u << 3 | 1u << 2 | 1u << 0; /* TE, RE, UE */
}

static inline char uart2_getc(uint32_t base)
{
    while (!(UART2_ISR(base) & 1u << 5)) /* RXNE */
        ;
    return (char)UART2_RDR(base);
}

static inline void uart2_putc(uint32_t base, char c)
{
    while (!(UART2_ISR(base) & 1u << 7)) /* TXE */
        ;
    UART2_TDR(base) = (uint8_t)c;
}

#endif
