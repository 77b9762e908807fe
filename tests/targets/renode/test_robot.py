"""The robot client against every recorded session, played back by a server that answers, fails, hangs and dies as recorded."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import pytest

from engine.errors import ExecutionError, ToolError, UsageError, WhycyclesError
from engine.targets.renode.find import find_renode
from engine.targets.renode.monitor import run_commands
from engine.targets.renode.robot import RobotClient
from tests.targets.renode.recordings import TRANSCRIPTS, transcript

Exchange = dict[str, Any]
TIMEOUT = 0.3


class _Handler(SimpleXMLRPCRequestHandler):
    """Answers the next recorded exchange, if it is the one that was recorded."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Replay)
        exception = server.next_one.get("client_exception")
        if exception is None:
            super().do_POST()
        elif exception["type"] == "builtins.TimeoutError":
            server.released.wait(5)
        else:
            # no answer, and a reset instead of an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class Replay(SimpleXMLRPCServer):
    """A server that plays one session back."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, logRequests=False)
        self.exchanges, self.at = exchanges, 0
        self.released = threading.Event()

    @property
    def next_one(self) -> Exchange:
        return self.exchanges[self.at]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was broken off on purpose is no news."""

    def _dispatch(self, method: str, params: Any) -> object:
        recorded = self.next_one
        arguments = list(params)
        expected = recorded["args"] if method == "run_keyword" else []
        assert (method, arguments) == (recorded["method"], expected)
        if "fault" in recorded:
            raise Fault(recorded["fault"]["faultCode"], recorded["fault"]["faultString"])
        return recorded["response"]


@contextmanager
def played(exchanges: list[Exchange]) -> Iterator[tuple[Replay, RobotClient]]:
    with Replay(exchanges) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server, RobotClient(server.server_address[1], timeout_seconds=TIMEOUT)
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def calls(name: str) -> list[Exchange]:
    return [e for e in transcript(name)["exchanges"] if "method" in e]


@pytest.mark.parametrize("name", [n for n in TRANSCRIPTS if calls(n)])
def test_every_recorded_exchange(name: str) -> None:
    exchanges = calls(name)
    with played(exchanges) as (server, client):
        for server.at, exchange in enumerate(exchanges):
            _one(client, exchange)
            if exchange.get("client_exception", {}).get("type") == "builtins.TimeoutError":
                break  # the real server answers nothing more either


def _one(client: RobotClient, exchange: Exchange) -> None:
    if "client_exception" in exchange:
        with pytest.raises(ExecutionError) as error:
            client.call(exchange["method"], *exchange["args"])
        quiet = exchange["client_exception"]["type"] == "builtins.TimeoutError"
        assert ("no answer within" in error.value.message) == quiet
    elif "fault" in exchange:
        with pytest.raises(ToolError, match="does not understand the call"):
            client.call(exchange["method"], *exchange["args"])
    elif exchange["method"] == "get_keyword_names":
        assert "ExecuteCommand" in client.keywords()
    elif exchange["response"]["status"] == "PASS":
        name, arguments = exchange["args"]
        # arguments that are named already go as they are
        named = any("=" in a for a in arguments) and name != "ExecuteCommand"
        answer = client.call("run_keyword", name, arguments) if named else client.keyword(name, *arguments)
        recorded = exchange["response"].get("return")
        assert (answer["return"] if named else answer) == recorded  # type: ignore[index]
    else:
        with pytest.raises(WhycyclesError) as failed:
            client.keyword(exchange["args"][0], *exchange["args"][1])
        assert failed.value.message
        assert failed.value.hint


def respond(value: object, *arguments: str, name: str = "ExecuteCommand") -> Exchange:
    return {"method": "run_keyword", "args": [name, list(arguments)], "response": {"status": "PASS", "return": value}}


def test_numbers_and_texts() -> None:
    with played([respond("0x000000000021D26C\n\n", "cpu ExecutedInstructions")]) as (_, client):
        assert client.number("cpu ExecutedInstructions") == 0x21D26C
        assert client.execute("cpu ExecutedInstructions") == "0x000000000021D26C"
    with played([respond("False\n\n", "cpu IsHalted")]) as (_, client), pytest.raises(ToolError, match="no number"):
        client.number("cpu IsHalted")


def test_arguments_that_look_named_are_named() -> None:
    """The trap: `cyccnt=(\\d+)` alone gives fault 2, as recorded in misc_checks."""
    recorded = next(e for e in calls("misc_checks") if "fault" in e)
    content, *rest = recorded["args"][1]
    sent = [f"content={content}", f"timeout={rest[0]}", f"testerId={rest[1]}", "treatAsRegex=true"]
    exchange = respond({"Line": ""}, *sent, name="WaitForLineOnUart")
    with played([exchange]) as (_, client):
        assert client.keyword("WaitForLineOnUart", content, 1, 0, True) == {"Line": ""}
    with played([respond("", "command=x=1")]) as (_, client):
        assert client.execute("x=1") == ""
    with played([]) as (_, client), pytest.raises(UsageError, match="looks like a named one"):
        client.keyword("WriteLineToUart", "a=1")


def test_another_program_on_the_port() -> None:
    other = {"method": "get_keyword_names", "args": [], "response": ["Sing"]}
    with played([other]) as (_, client), pytest.raises(ToolError, match="another program"):
        client.keywords()


def test_nobody_on_the_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ExecutionError, match="does not listen"):
        RobotClient(port, timeout_seconds=TIMEOUT).execute("version")


@pytest.mark.usefixtures("renode")
def test_commands_by_hand() -> None:
    assert list(run_commands(find_renode(), ["version", 'mach create "x"'])) == [
        "Renode, version 1.16.1 (v1.16.1-src)",
        "",
    ]
    with pytest.raises(ToolError, match="no command or device 'nonsense'"):
        list(run_commands(find_renode(), ["nonsense"]))
