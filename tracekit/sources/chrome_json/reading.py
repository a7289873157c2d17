"""What is known of a file between the scan and the tables."""

from __future__ import annotations

from dataclasses import dataclass

from tracekit.sources.chrome_json.flows import Flows
from tracekit.sources.chrome_json.layout import Records
from tracekit.sources.chrome_json.naming import Rows
from tracekit.sources.chrome_json.slices import Swept
from tracekit.sources.chrome_json.tasks import Pieces
from tracekit.sources.chrome_json.windows import Scanned


@dataclass
class Read:
    """Everything between the scan and the tables. Times are the file's, in ns; `origin_ns` becomes 0."""

    scanned: Scanned
    rows: Rows
    kind: str
    swept: Swept
    pieces: Pieces
    flows: Flows
    contradictions: Records
    origin_ns: int = 0
    end_ns: int = 0
