"""Go traces from text: the form of Go's own test cases (`src/internal/trace/testdata/tests`), turned to binary.

    Trace Go1.26
    EventBatch gen=1 m=7 time=100
    ProcStatus dt=1 p=0 pstatus=1
    EventBatch gen=1 m=NONE time=0
    Strings
    String id=1
        data="sleep"

Events and their arguments are those of `spec.SPECS`; a batch's size is what it comes to, whatever the text says.
`m=NONE` is the thread id that stands for none. A `Raw hex=0102` line puts bytes as they are.
"""

from __future__ import annotations

import json

from tracekit.sources.go_trace.spec import BY_NAME, NO_THREAD


def varint(value: int) -> bytes:
    """`value` as an unsigned varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def header(version: int) -> bytes:
    """The first 16 bytes of a trace."""
    return f"go 1.{version} trace".encode() + b"\0\0\0"


def assemble(text: str) -> bytes:
    """The binary trace that a text describes."""
    out, start, payload = bytearray(), b"", bytearray()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    for line in lines[1:]:
        name, values = _line(line)
        if name in ("EventBatch", "ExperimentalBatch", "EndOfGeneration"):
            out += _batch(start, payload)
            start, payload = _batch_start(name, values), bytearray()
        else:
            payload += _event(name, values)
    return header(int(lines[0].removeprefix("Trace Go1."))) + bytes(out) + _batch(start, payload)


def _line(line: str) -> tuple[str, dict[str, str]]:
    if line.startswith("data="):
        return "data", {"data": line.removeprefix("data=")}
    name, *pairs = line.split()
    if "=" in name:
        name, pairs = "frame", line.split()
    return name, dict(pair.split("=", 1) for pair in pairs)


def _number(text: str) -> int:
    return NO_THREAD if text == "NONE" else int(text, 0)


def _batch_start(name: str, values: dict[str, str]) -> bytes:
    code = bytes([BY_NAME[name].code])
    if name == "EndOfGeneration":
        return code
    experiment = bytes([_number(values["exp"])]) if name == "ExperimentalBatch" else b""
    return code + experiment + b"".join(varint(_number(values[key])) for key in ("gen", "m", "time"))


def _batch(start: bytes, payload: bytearray) -> bytes:
    if not start or start[0] == BY_NAME["EndOfGeneration"].code:
        return start
    return start + varint(len(payload)) + bytes(payload)


def _event(name: str, values: dict[str, str]) -> bytes:
    if name == "Raw":
        return bytes.fromhex(values["hex"])
    if name == "data":
        data = json.loads(values["data"]).encode()
        return varint(len(data)) + data
    if name == "frame":
        return b"".join(varint(_number(values[key])) for key in ("pc", "func", "file", "line"))
    spec = BY_NAME[name]
    args = [arg for arg in spec.args if not (name == "String" and arg == "size")]
    return bytes([spec.code]) + b"".join(varint(_number(values[arg])) for arg in args)
