*** Settings ***
Documentation     A firmware with the MPS2 port answers on its UART in Renode. See README.md for the ELF it takes.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Start Device
Test Teardown     Test Teardown
Resource          ${RENODEKEYWORDS}

*** Variables ***
${CORE}           cortex-m4
${ELF}            ${CURDIR}/firmware.elf
# seconds of virtual time: firmware that polls its UART makes each of them minutes of real time
${TIMEOUT}        0.5

*** Keywords ***
Start Device
    Reset Emulation
    Execute Command          mach create "whycycles"
    Execute Command          machine LoadPlatformDescription @${CURDIR}/${CORE}.repl
    Execute Command          emulation SetGlobalAdvanceImmediately true
    Execute Command          sysbus LoadELF @${ELF}
    Create Terminal Tester   sysbus.uart0    ${TIMEOUT}
    Start Emulation
    Wait For Line On Uart    m-ready

Ask
    [Arguments]              ${command}    ${answer}
    Write To Uart            ${command}
    Wait For Line On Uart    ${answer}

*** Test Cases ***
Tells Its Name
    Ask                      name%            m-name-dut-[whycycles]

Expects An Input
    Ask                      db load 1%       m-[Expecting 1 bytes]

Refuses To Infer Without An Input
    Ask                      infer 1 0%       e-[Input has 0 bytes

Refuses What It Does Not Know
    Ask                      soul%            e-[Unknown command: soul]
