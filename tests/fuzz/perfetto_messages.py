"""Perfetto's messages for the protobuf library: a second decoding, independent of the reader's.

Only what the tests look at is declared: each message's fields by number, made into descriptors.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# name: number and type; `*` repeated (numbers: packed), a capital a message
_WAKE = {"comm": "1 bytes", "pid": "2 int32", "target_cpu": "5 int32"}
MESSAGES: dict[str, dict[str, str]] = {
    "File": {"packet": "1 *Packet"},
    "Packet": {"ftrace_events": "1 Bundle", "sequence": "10 uint32", "compressed": "50 bytes", "zstd": "133 bytes"},
    "Bundle": {"cpu": "1 uint32", "event": "2 *Event", "lost_events": "3 bool", "compact_sched": "4 Compact"},
    "Compact": {
        "switch_timestamp": "1 *uint64", "switch_prev_state": "2 *int64", "switch_next_pid": "3 *int32",
        "switch_next_prio": "4 *int32", "intern_table": "5 *bytes", "switch_next_comm_index": "6 *uint32",
        "waking_timestamp": "7 *uint64", "waking_pid": "8 *int32", "waking_target_cpu": "9 *int32",
        "waking_prio": "10 *int32", "waking_comm_index": "11 *uint32", "waking_common_flags": "12 *uint32",
    },
    "Event": {
        "timestamp": "1 uint64", "pid": "2 uint32", "common_flags": "5 uint32", "switch": "4 Switch",
        "wakeup": "17 Wake", "waking": "20 Wake", "wakeup_new": "114 Wake", "new_task": "235 NewTask",
        "rename": "236 Rename", "exec": "237 Exec", "exit": "238 Exit", "fork": "239 Fork", "migrate": "491 Migrate",
    },
    "Switch": {
        "prev_comm": "1 bytes", "prev_pid": "2 int32", "prev_state": "4 int64", "next_comm": "5 bytes",
        "next_pid": "6 int32",
    },
    "Wake": _WAKE,
    "Migrate": {"comm": "1 bytes", "pid": "2 int32", "dest_cpu": "5 int32"},
    "NewTask": {"pid": "1 int32", "comm": "2 bytes", "clone_flags": "3 uint64"},
    "Rename": {"pid": "1 int32", "newcomm": "3 bytes"},
    "Exec": {"pid": "2 int32"},
    "Exit": {"comm": "1 bytes", "pid": "2 int32"},
    "Fork": {"parent_pid": "2 int32", "child_comm": "3 bytes", "child_pid": "4 int32"},
}  # fmt: skip
_PACKAGE = "tracekit_test"


@cache
def message(name: str) -> Any:
    """The class of one message."""
    file = descriptor_pb2.FileDescriptorProto(name="tracekit_test.proto", package=_PACKAGE, syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for title, fields in MESSAGES.items():
        made = file.message_type.add(name=title)
        for field_name, words in fields.items():
            number, kind = words.split()
            field = made.field.add(name=field_name, number=int(number))
            field.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind[0].isupper():
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
                field.options.packed = field.label == kinds.LABEL_REPEATED and kind != "bytes"
                if kind == "bytes" or field.label != kinds.LABEL_REPEATED:
                    field.ClearField("options")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def bundles(data: bytes) -> Iterator[tuple[int, Any]]:
    """(packet sequence, FtraceEventBundle) of each, those of compressed packets too."""
    import zlib

    import pyarrow as pa

    for packet in message("File").FromString(data).packet:
        if packet.HasField("compressed"):
            yield from bundles(zlib.decompress(packet.compressed))
        elif packet.HasField("zstd"):
            yield from bundles(pa.CompressedInputStream(pa.BufferReader(packet.zstd), "zstd").read())
        elif packet.HasField("ftrace_events"):
            yield packet.sequence, packet.ftrace_events
