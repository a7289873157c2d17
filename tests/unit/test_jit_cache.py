"""The compile cache works across processes, and an edit in any file that gets compiled in makes it start anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENTRY = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from tracekit.jit import cached_njit
from entry import work

compiled = cached_njit(work, extra=[Path({folder!r}) / "helper.py"])
value = compiled(20)
print(bool(compiled.stats.cache_hits), value)
"""


def _run(folder: Path) -> str:
    environment = {**os.environ, "TRACEKIT_CACHE_DIR": str(folder / "cache"), "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", ENTRY.format(folder=str(folder))],
        cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_second_process_loads_what_the_first_compiled_until_a_helper_changes(tmp_path: Path) -> None:
    helper = "from tracekit.jit import njit\n\n\n@njit\ndef add(x):\n    return x + {}\n"
    (tmp_path / "entry.py").write_text("from helper import add\n\n\ndef work(x):\n    return add(x)\n")
    (tmp_path / "helper.py").write_text(helper.format(1))
    assert _run(tmp_path) == "False 21"
    assert _run(tmp_path) == "True 21"
    (tmp_path / "helper.py").write_text(helper.format(2))
    assert _run(tmp_path) == "False 22"  # numba's own cache would answer 21: entry.py did not change


def test_without_a_writable_cache_it_still_runs(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    (tmp_path / "entry.py").write_text("def work(x):\n    return x\n")
    (tmp_path / "helper.py").write_text("")
    assert _run(tmp_path) == "False 20"
