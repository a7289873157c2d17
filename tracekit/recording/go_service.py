"""A running Go service's execution trace, fetched from where net/http/pprof serves it."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tracekit.errors import TracekitError, UsageError

PATH = "/debug/pprof/trace"
_BLOCK_BYTES = 1 << 16
_GRACE_S = 30.0  # the service flushes its last second, and may be busy
_MAGIC = b"go 1."
_LOCAL = ("localhost", "127.0.0.1", "::1")
_IMPORT = 'import _ "net/http/pprof" in the program, and serve http.DefaultServeMux'


def trace_url(given: str, seconds: float) -> str:
    """`localhost:6060` → `http://localhost:6060/debug/pprof/trace?seconds=5`. Raises UsageError."""
    parts = urllib.parse.urlsplit(given if "://" in given else f"http://{given}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{given!r} is no address of a service", remedy="give HOST:PORT, or a URL of http or https")
    query = dict(urllib.parse.parse_qsl(parts.query)) | {"seconds": f"{seconds:g}"}
    path = parts.path if parts.path not in ("", "/") else PATH
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, urllib.parse.urlencode(query), ""))


def fetch(given: str, path: Path, *, seconds: float, progress: Callable[[int, int], None]) -> str:
    """Write `seconds` of a service's trace to `path`; returns the URL. Progress is in ms of those seconds.

    Raises TracekitError when nobody answers, access is refused, there is no such page, or it is no Go trace.
    """
    url = trace_url(given, seconds)
    request, shown = _request(url)
    handlers = [urllib.request.ProxyHandler({})] if urllib.parse.urlsplit(shown).hostname in _LOCAL else []
    began = time.monotonic()
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=seconds + _GRACE_S) as answer:
            head = answer.read(_BLOCK_BYTES)
            if not head.startswith(_MAGIC):
                raise TracekitError(
                    f"the answer is no Go trace; it begins with {_shown(head)}", where=shown, remedy=_IMPORT
                )
            with path.open("wb") as file:
                while head:
                    file.write(head)
                    progress(min(int((time.monotonic() - began) * 1000), int(seconds * 1000)), int(seconds * 1000))
                    head = answer.read1(_BLOCK_BYTES)
    except urllib.error.HTTPError as error:
        raise _refused(error, shown) from None
    except (OSError, ValueError) as error:  # URLError is an OSError; http.client's are ValueErrors or OSErrors
        raise _unreachable(error, shown) from None
    return shown


def _request(url: str) -> tuple[urllib.request.Request, str]:
    """The request, with `user:password@` of the URL as a header, and the URL without it."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    plain = urllib.parse.urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(plain)
    if parts.username is not None:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    return request, plain


def _shown(head: bytes) -> str:
    return repr(head[:20].decode("utf-8", "replace")) if head else "nothing"


def _refused(error: urllib.error.HTTPError, url: str) -> TracekitError:
    said = " ".join(error.read(200).decode("utf-8", "replace").split())
    if error.code in (401, 403):
        return TracekitError(
            f"access refused (HTTP {error.code})", where=url, remedy="give http://USER:PASSWORD@HOST:PORT"
        )
    if error.code == 404:
        return TracekitError("no such page (HTTP 404)", where=url, remedy=_IMPORT)
    return TracekitError(f"HTTP {error.code}: {said or error.reason}", where=url)


def _unreachable(error: OSError | ValueError, url: str) -> TracekitError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ConnectionRefusedError):
        return TracekitError("nobody listens there (connection refused)", where=url, remedy="start the service first")
    if isinstance(reason, TimeoutError):
        return TracekitError("no answer in time", where=url, remedy="see whether the service is alive")
    text = getattr(reason, "strerror", None) or str(reason)
    return TracekitError(f"can't be fetched ({text})", where=url)
