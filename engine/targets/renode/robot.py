"""Client of Renode's robot server (XML-RPC), for commands by hand.

The server listens on every interface of the machine, without authentication, and offers Python and file access. Nothing here
starts it unless the user has asked for that.
"""

from __future__ import annotations

import re
import socket
import xmlrpc.client
from http.client import HTTPConnection, HTTPException
from typing import Any, NoReturn

from engine.errors import ExecutionError, ToolError, UsageError
from engine.targets.renode.failures import monitor_problem

# Any argument of this shape is taken for a named one, `key=value`, whatever it was meant to be.
_LOOKS_NAMED = re.compile(r"^[A-Za-z0-9_]+=.+", re.DOTALL)
_PARAMETERS = {
    "ExecuteCommand": ("command", "machine"),
    "CreateTerminalTester": ("uart", "timeout", "machine"),
    "WaitForLineOnUart": ("content", "timeout", "testerId", "treatAsRegex"),
}
_MARK = "ExecuteCommand"


class RobotClient:
    """Calls keywords; arguments travel as strings. One call at a time: the server handles no second one before the first is done."""

    def __init__(self, port: int, *, timeout_seconds: float = 60.0) -> None:
        """``timeout_seconds`` bounds every call: one that waits for a CPU that stopped never returns."""
        self._proxy = xmlrpc.client.ServerProxy(
            f"http://127.0.0.1:{port}/", transport=_Transport(timeout_seconds), allow_none=False
        )
        self._timeout_seconds = timeout_seconds

    def keywords(self) -> tuple[str, ...]:
        """Names of all keywords. Raises ToolError if what listens there is not Renode."""
        names = self.call("get_keyword_names")
        if not isinstance(names, list) or _MARK not in names:
            raise ToolError("another program than Renode answers on this port", hint="choose another port")
        return tuple(str(n) for n in names)

    def execute(self, command: str) -> str:
        """The answer to a Monitor command, without its trailing line ends. Raises as ``keyword``."""
        answer = self.keyword(_MARK, command)
        return str(answer or "").rstrip("\n")

    def number(self, command: str) -> int:
        """The answer to a Monitor command that gives a number (``0x…``). Raises as ``keyword``, ToolError if it is none."""
        text = self.execute(command)
        try:
            return int(text, 0)
        except ValueError:
            raise ToolError(
                f"'{command}' answered '{text}', no number", hint="ask for a property that is one"
            ) from None

    def keyword(self, name: str, *arguments: object) -> object:
        """Run a keyword and return what it returns, None for nothing.

        Raises ToolError or BadInputError for what Renode refuses, ExecutionError when it dies, goes silent or a wait fails.
        """
        answer = self.call("run_keyword", name, _encoded(name, arguments))
        if not isinstance(answer, dict) or "status" not in answer:
            raise ToolError(f"the answer to {name} is no keyword result", hint="choose another port")
        if answer["status"] == "PASS":
            return answer.get("return")
        text = str(answer.get("error", ""))
        known = monitor_problem(text)
        if known is not None:
            raise known
        if "Terminal tester failed" in text:
            raise ExecutionError(
                "the expected line never came over the UART", hint="time-outs are seconds of virtual time"
            )
        raise ToolError(
            f"Renode: {text.strip().splitlines()[0] if text.strip() else 'no reason given'}", hint="see its log"
        )

    def stop(self) -> None:
        """Ask the server to end. Raises as ``keyword``."""
        self.keyword("StopRemoteServer")

    def call(self, method: str, *arguments: Any) -> object:
        """One XML-RPC call as it is. Raises ToolError for a fault, ExecutionError for a dead or silent server."""
        try:
            return getattr(self._proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise ToolError(
                f"Renode does not understand the call: {fault.faultString}", hint="see its keywords"
            ) from fault
        except TimeoutError as error:
            raise ExecutionError(
                f"Renode gave no answer within {self._timeout_seconds:g} s",
                hint="its CPU may have stopped, which a waiting call never notices: look at the log, then end the process",
            ) from error
        except ConnectionRefusedError as error:
            self._gone("Renode does not listen (any more)", error)
        except (ConnectionError, HTTPException, xmlrpc.client.ProtocolError, OSError) as error:
            self._gone("Renode broke the connection off", error)

    def _gone(self, what: str, error: BaseException) -> NoReturn:
        raise ExecutionError(what, hint="it ended or was killed: look at its log") from error


def _encoded(name: str, arguments: tuple[object, ...]) -> list[str]:
    """Arguments as strings; named ones, all of them, if one would be mistaken for that."""
    texts = [str(a).lower() if isinstance(a, bool) else str(a) for a in arguments]
    if not any(_LOOKS_NAMED.match(t) for t in texts):
        return texts
    parameters = _PARAMETERS.get(name, ())
    if len(texts) > len(parameters):
        raise UsageError(
            f"an argument of {name} looks like a named one (word=…), as which Renode would take it",
            hint="put a blank in front of it",
        )
    return [f"{p}={t}" for p, t in zip(parameters, texts, strict=False)]


class _Transport(xmlrpc.client.Transport):
    """HTTP with a time-out on the socket."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def make_connection(self, host: Any) -> HTTPConnection:
        """A connection whose every wait ends."""
        connection = super().make_connection(host)
        connection.timeout = self._seconds
        if isinstance(connection.sock, socket.socket):
            connection.sock.settimeout(self._seconds)
        return connection
