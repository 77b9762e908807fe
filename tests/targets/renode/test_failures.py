"""What Renode said in the recordings, as errors with a hint."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInputError, ExecutionError, ToolError, WhycyclesError
from engine.targets.renode.failures import monitor_problem, problem_in
from tests.targets.renode.recordings import TRANSCRIPTS, errors, output, transcript

CONSOLE = {
    "bad_option": (ToolError, r"does not know the options --no-such-option"),
    "port_taken": (ToolError, r"port 40049 is taken"),
    "errors_setup": (ExecutionError, r"the CPU never started"),
    "fault_jump_unmapped": (ExecutionError, r"stopped at 0x90000000: Trying to execute code outside RAM or ROM"),
    "fault_jump_logtester": (ExecutionError, r"stopped at 0x90000000"),
    "fault_load_unmapped": (ExecutionError, r"read from an address without memory 0x90000000 by code at 0x7fc"),
    "fault_store_unmapped": (ExecutionError, r"write to an address without memory 0x90000000 by code at 0x87a"),
    "hook_name_error": (ExecutionError, r"a hook failed, so counts are missing: name 'this' is not defined"),
    "hook_zero_division": (ExecutionError, r"a hook failed.*Attempted to divide by zero"),
    "hook_raises": (ExecutionError, r"Renode itself crashed: .*ImportException: No module named os"),
    "hook_ioerror": (ExecutionError, r"Renode itself crashed: .*DirectoryNotFoundException"),
    # a path with a blank that was not escaped, on purpose
    "misc_checks": (ToolError, r"cannot read: sysbus LoadELF"),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_console_output(name: str) -> None:
    problem = problem_in(output(name))
    if name not in CONSOLE:
        assert problem is None
        return
    kind, pattern = CONSOLE[name]
    assert type(problem) is kind
    assert re.search(pattern, problem.message)
    assert problem.hint


COMMANDS = {
    "no-such-file.repl": (BadInputError, r"refuses the platform description: Could not find file"),
    "bad-syntax.repl": (
        BadInputError,
        r"Error E00: Syntax error, unexpected '0'; expected colon or arrow at .*bad-syntax\.repl:16:10",
    ),
    "bad-cputype.repl": (BadInputError, r"Error E38: .*'cpu': Unknown CPU type at .*bad-cputype\.repl:10:6"),
    "bad-peripheral.repl": (BadInputError, r"Error E04: Could not resolve type: 'UART\.NO_SUCH_UART'\. at .*:24:1"),
    "no-such.elf": (BadInputError, r"no such file: @ROOT@/firmware/no-such\.elf"),
    "not-an-elf.elf": (BadInputError, r"cannot load the ELF: .*Could not load ELF from path"),
    "nonsense command": (ToolError, r"no command or device 'nonsense'"),
    "cpu NoSuchProperty": (ToolError, r"refuses the command 'cpu NoSuchProperty'.*does not provide a field"),
    'mach create \\"bench\\"': (ToolError, r"already added or name is already taken"),
    "no_such_symbol": (ToolError, r"Could not find any address for symbol"),
}


@pytest.mark.parametrize("part", COMMANDS)
def test_answers_to_commands(part: str) -> None:
    (text,) = (
        e for e in errors("errors_setup") if "Could not execute command '" in e and part.replace('\\"', '"') in e
    )
    problem = monitor_problem(text)
    kind, pattern = COMMANDS[part]
    assert type(problem) is kind
    assert re.search(pattern, problem.message), problem.message
    assert "\n" not in problem.message


def test_a_hook_with_a_mistake() -> None:
    (text,) = errors("hook_syntax_error")
    problem = monitor_problem(text)
    assert isinstance(problem, ToolError)
    assert "refuses a hook: [FatalError] unexpected token '='" in problem.message


def test_the_monitor_prints_the_same_on_its_console() -> None:
    console = (
        "12:00:00.1 [INFO] System bus created.\n\x1b[31mThere was an error executing command 'machine LoadPlatformDescription @/x/a b.repl': "
        "\x1b[0m\r\nError E00: Syntax error, unexpected '0'; expected colon or arrow\r\nAt /x/a.repl:16:10:\r\n    size 0x0\r\n"
        "12:00:00.2 [INFO] bench: Disposed.\n"
    )
    problem = problem_in(console)
    assert isinstance(problem, BadInputError)
    assert problem.message.endswith("expected colon or arrow at /x/a.repl:16:10")


def test_an_abort_outweighs_the_read_that_comes_before_it() -> None:
    log = transcript("fault_jump_logfile")["exchanges"][-2]["event"]["log_file"]
    first = problem_in("\n".join(log[:-1]))
    whole = problem_in("\n".join(log), lambda at: f"code at {at:#x}")
    assert first is not None
    assert "read from an address without memory" in first.message
    assert whole is not None
    assert "stopped at code at 0x90000000" in whole.message


@settings(deadline=None)
@given(st.text(), st.sampled_from([output(n) for n in sorted(CONSOLE)]), st.integers(0, 4000))
def test_any_text_gives_an_error_or_none(noise: str, said: str, cut: int) -> None:
    for text in (noise, noise + said[:cut], said[cut:] + noise):
        assert problem_in(text) is None or isinstance(problem_in(text), WhycyclesError)
