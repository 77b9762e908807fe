/* The second boot stage: the first 256 bytes of flash, which the RP2040's boot ROM copies to the end of SRAM, checks and calls.
 *
 * It sets the serial flash up for quad reads without an instruction byte (W25Q: 0xEB once with mode bits 0xA0, then address and mode alone),
 * at half the core clock, and enters the program through the vector table behind it. What to set, and in which order, is
 * raspberrypi/pico-sdk:src/rp2040/boot_stage2/boot2_w25q080.S@978e15c5 with PICO_FLASH_SPI_CLKDIV 2 (the board's description rests on it); registers
 * of the SSI: src/rp2040/hardware_structs/include/hardware/structs/ssi.h@00705dfa. The last four bytes are the checksum, filled in after linking.
 * It must not depend on where it lies, and fit into 252 bytes: assembly, because a compiler promises neither.
 *
 * r4 SSI base, r5 zero, r6 one; send: r0 word to send, nothing back; both calls wait until the bus is idle.
 */
__asm(
    ".pushsection .boot2, \"ax\", %progbits\n"
    ".syntax unified\n"
    ".thumb\n"
    ".balign 4\n"
    ".thumb_func\n"
    ".global wc_boot2\n"
    ".type wc_boot2, %function\n"
    "wc_boot2:\n"
    "    ldr r4, =0x40020000\n" /* PADS_QSPI: clock at 8 mA without slew limit, data inputs without Schmitt trigger */
    "    movs r0, #0x21\n"
    "    str r0, [r4, #4]\n"
    "    ldr r0, [r4, #8]\n"
    "    movs r1, #2\n"
    "    bics r0, r1\n"
    "    str r0, [r4, #8]\n"
    "    str r0, [r4, #12]\n"
    "    str r0, [r4, #16]\n"
    "    str r0, [r4, #20]\n"
    "    ldr r4, =0x18000000\n"
    "    movs r5, #0\n"
    "    movs r6, #1\n"
    "    str r5, [r4, #8]\n" /* SSIENR: off while it is configured */
    "    movs r0, #2\n"
    "    str r0, [r4, #0x14]\n" /* BAUDR: half the core clock */
    "    movs r1, #0xF0\n"
    "    str r6, [r4, r1]\n" /* RX_SAMPLE_DLY: one cycle */
    "    ldr r0, =0x00070000\n" /* CTRLR0: frames of eight bits, both directions */
    "    str r0, [r4, #0]\n"
    "    str r6, [r4, #8]\n"
    "    movs r0, #0x35\n" /* status register 2: quad enable */
    "    bl wc_boot2_status\n"
    "    cmp r0, #2\n"
    "    beq 2f\n"
    "    movs r0, #0x06\n" /* write enable */
    "    bl wc_boot2_send\n"
    "    ldr r0, [r4, #0x60]\n"
    "    movs r0, #0x01\n" /* both status registers: 0, 2 */
    "    str r0, [r4, #0x60]\n"
    "    str r5, [r4, #0x60]\n"
    "    movs r0, #2\n"
    "    bl wc_boot2_send\n"
    "    ldr r0, [r4, #0x60]\n"
    "    ldr r0, [r4, #0x60]\n"
    "    ldr r0, [r4, #0x60]\n"
    "1:  movs r0, #0x05\n" /* until the flash is no longer busy */
    "    bl wc_boot2_status\n"
    "    tst r0, r6\n"
    "    bne 1b\n"
    "2:  str r5, [r4, #8]\n"
    "    ldr r0, =0x005F0300\n" /* CTRLR0: quad, frames of 32 bits, send then receive */
    "    str r0, [r4, #0]\n"
    "    str r5, [r4, #4]\n" /* CTRLR1: one frame */
    "    movs r1, #0xF4\n"
    "    ldr r0, =0x00002221\n" /* SPI_CTRLR0: serial instruction of 8 bits, 32 quad bits of address and mode, 4 waits */
    "    str r0, [r4, r1]\n"
    "    str r6, [r4, #8]\n"
    "    movs r0, #0xEB\n"
    "    str r0, [r4, #0x60]\n"
    "    movs r0, #0xA0\n"
    "    bl wc_boot2_send\n"
    "    str r5, [r4, #8]\n"
    "    movs r1, #0xF4\n"
    "    ldr r0, =0xA0002022\n" /* the same without instruction, mode bits 0xA0 behind every address */
    "    str r0, [r4, r1]\n"
    "    str r6, [r4, #8]\n"
    "    ldr r0, =0x10000100\n"
    "    ldr r1, =0xE000ED08\n" /* VTOR */
    "    str r0, [r1]\n"
    "    ldr r1, [r0]\n"
    "    msr msp, r1\n"
    "    ldr r0, [r0, #4]\n"
    "    bx r0\n"
    ".thumb_func\n"
    "wc_boot2_send:\n" /* a word out, then until everything has left and the bus is idle */
    "    str r0, [r4, #0x60]\n"
    "3:  ldr r1, [r4, #0x28]\n"
    "    lsls r2, r1, #29\n" /* TFE, bit 2 */
    "    bpl 3b\n"
    "    tst r1, r6\n" /* BUSY, bit 0 */
    "    bne 3b\n"
    "    bx lr\n"
    ".thumb_func\n"
    "wc_boot2_status:\n" /* a command and a byte to clock the answer in; the answer in r0 */
    "    mov r7, lr\n"
    "    str r0, [r4, #0x60]\n"
    "    bl wc_boot2_send\n"
    "    ldr r0, [r4, #0x60]\n"
    "    ldr r0, [r4, #0x60]\n"
    "    bx r7\n"
    ".balign 4\n"
    ".ltorg\n"
    ".org wc_boot2 + 252\n"
    ".word 0\n"
    ".popsection\n");
