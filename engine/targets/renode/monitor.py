"""A Renode with its robot server, for Monitor commands by hand. It opens a port: see ``robot``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.errors import ExecutionError, ToolError
from engine.targets.renode.failures import problem_in
from engine.targets.renode.find import Renode
from engine.targets.renode.process import RenodeLimits, console_text, started
from engine.targets.renode.robot import RobotClient

WARNING = (
    "Renode's robot server listens on all interfaces of this machine, without authentication, and gives whoever connects "
    "Python and file access"
)
_POLL_SECONDS = 0.05
_END_SECONDS = 6.0


def run_commands(renode: Renode, commands: Sequence[str], limits: RenodeLimits | None = None) -> Iterator[str]:
    """Run Monitor commands in a fresh Renode and yield each answer. Raises what ``RobotClient.keyword`` raises."""
    with _session(renode, limits or RenodeLimits()) as client:
        for command in commands:
            yield client.execute(command)


@contextmanager
def _session(renode: Renode, limits: RenodeLimits) -> Iterator[RobotClient]:
    with tempfile.TemporaryDirectory(prefix="whycycles-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        # port 0: the first one that is free, which Renode writes to a file of its TMPDIR
        with started(renode, folder, ["--robot-server-port", "0"]) as process:
            begin = time.monotonic()
            while (port := _port(folder)) is None:
                problem = problem_in(console_text(folder))
                if problem is not None:
                    raise problem
                if process.poll() is not None:
                    raise ToolError("Renode ended before it listened", hint="start it by hand to see why")
                if time.monotonic() - begin > limits.start_seconds:
                    raise ToolError(f"Renode did not start within {limits.start_seconds:g} s", hint="try again")
                time.sleep(_POLL_SECONDS)
            client = RobotClient(port, timeout_seconds=limits.wall_seconds)
            client.keywords()
            yield client
            try:
                client.stop()
                process.wait(timeout=_END_SECONDS)
            except (ExecutionError, OSError, TimeoutError):
                return  # it is ended the hard way


def _port(folder: Path) -> int | None:
    """The port, once it is written: the file is empty for a moment."""
    for path in folder.glob("tmp/renode-*/robot_port"):
        text = path.read_text("ascii", errors="replace").strip()
        if text.isdecimal():
            return int(text)
    return None
