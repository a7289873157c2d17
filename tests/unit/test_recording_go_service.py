"""Fetching a Go service's trace: from a server that answers as asked, on loopback."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.fuzz.go_stories import FORK
from tests.fuzz.go_writer import assemble
from tracekit.errors import TracekitError, UsageError
from tracekit.recording.go_service import fetch, trace_url
from tracekit.sources.base import no_progress

TRACE = assemble(FORK)
Answer = tuple[int, bytes]


class _Handler(BaseHTTPRequestHandler):
    answers: dict[str, Answer]
    password = "Basic " + base64.b64encode(b"me:secret").decode()

    def do_GET(self) -> None:
        code, body = self.answers.get(self.path, (404, b"404 page not found"))
        if code == 401 and self.headers.get("Authorization") == self.password:
            code, body = 200, TRACE
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """`serve({path: (code, body)})` gives HOST:PORT."""
    servers = []

    def start(answers: dict[str, Answer]) -> str:
        server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answers": answers}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


PAGE = "/debug/pprof/trace?seconds=1"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("localhost:6060", "http://localhost:6060/debug/pprof/trace?seconds=5"),
        ("https://host", "https://host/debug/pprof/trace?seconds=5"),
        ("http://host/admin/trace?seconds=1&x=2", "http://host/admin/trace?seconds=5&x=2"),
    ],
)
def test_the_page_is_made_from_what_is_given(given: str, wanted: str) -> None:
    assert trace_url(given, 5) == wanted


@pytest.mark.parametrize("given", ["ftp://host", "http://", ":"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        trace_url(given, 5)


def test_the_trace_is_written_as_it_is_sent(serve: Callable[..., str], tmp_path: Path) -> None:
    host = serve({PAGE: (200, TRACE)})
    fetch(host, tmp_path / "x.trace", seconds=1, progress=no_progress)
    assert (tmp_path / "x.trace").read_bytes() == TRACE


def test_user_and_password_of_the_address_are_sent(serve: Callable[..., str], tmp_path: Path) -> None:
    host = serve({PAGE: (401, b"who are you")})
    with pytest.raises(TracekitError, match=r"access refused \(HTTP 401\)"):
        fetch(host, tmp_path / "x.trace", seconds=1, progress=no_progress)
    shown = fetch(f"http://me:secret@{host}", tmp_path / "x.trace", seconds=1, progress=no_progress)
    assert "secret" not in shown
    assert (tmp_path / "x.trace").read_bytes() == TRACE


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b""), "no such page.*net/http/pprof"),
        ((500, b"Could not enable tracing: already enabled"), "HTTP 500: Could not enable tracing: already enabled"),
        ((200, b"<html>hello"), "no Go trace; it begins with '<html>hello'"),
        ((200, b""), "no Go trace; it begins with nothing"),
    ],
)
def test_other_answers_are_said_in_one_line(
    answer: Answer, said: str, serve: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(TracekitError, match=said) as caught:
        fetch(serve({PAGE: answer}), tmp_path / "x.trace", seconds=1, progress=no_progress)
    assert "\n" not in caught.value.line()
    assert not (tmp_path / "x.trace").exists()


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TracekitError, match="connection refused"):
        fetch(f"127.0.0.1:{port}", tmp_path / "x.trace", seconds=1, progress=no_progress)
