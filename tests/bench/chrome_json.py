"""How fast Chrome trace-event JSON is read, beside Python's own JSON parser on the same bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.bench.registry import Measurement, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.chrome_json import SOURCE

EVENTS = 400_000  # 53 MB


def a_trace(path: Path, events: int = EVENTS) -> int:
    """Slices on four rows of CPUs, as exports of scheduling have them, and a thread's row; its size in bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        for cpu in range(4):
            file.write(f'{{"name":"thread_name","ph":"M","pid":1,"tid":{cpu},"args":{{"name":"CPU {cpu}"}}}},\n')
        for number in range(events):
            us, ns = divmod(number * 1753, 1000)
            file.write(
                f'{{"name":"worker-{1000 + number % 97}","cat":"sched","ph":"X","ts":{us}.{ns:03d},"dur":1.7{number % 10}1,'
                f'"pid":1,"tid":{number % 4},"args":{{"prio":120,"end_state":"S"}}}},\n'
            )
        file.write('{"name":"end","ph":"i","pid":1,"tid":0,"ts":0}]}\n')
    return path.stat().st_size


@benchmark("chrome_json", unit="MB/s", goal=150.0, reference="json.loads, parsing only")
def chrome_json() -> Measurement:
    """Megabytes a second from the file to tables; the reference only parses."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        size = a_trace(path)
        SOURCE.read(path, ReadOptions())  # compiles what is not compiled yet
        ours = seconds(lambda: SOURCE.read(path, ReadOptions()), repeat=3)
        theirs = seconds(lambda: json.loads(path.read_bytes()), repeat=3)
    return Measurement(value=size / ours / 1e6, reference_value=size / theirs / 1e6)
