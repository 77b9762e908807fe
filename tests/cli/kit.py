"""The command line, called, and the form of its refusals."""

from __future__ import annotations

from click.testing import CliRunner, Result

from engine.cli import main


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def refused(result: Result, what: str = "", code: int = 2) -> str:
    """The message of a refusal, in which ``what`` stands; asserts its form."""
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert lines[-2].startswith("error: "), lines
    assert lines[-1].startswith("hint: "), lines
    assert len(lines[-1]) > len("hint: ")
    assert what in lines[-2]
    return lines[-2]
