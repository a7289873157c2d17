"""A model from another package: installed with pip, found by its entry point, replayed by the command line.

Its file is the round robin of the README's steps: one file under 80 lines.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tracekit.tables.store import load_all

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parent / "third_party"
MS = 1_000_000


def _setuptools() -> int:
    try:
        return int(version("setuptools").split(".")[0])
    except PackageNotFoundError:
        return 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the package to."""
    if find_spec("pip") is None or _setuptools() < 77:
        pytest.skip("pip and setuptools of at least version 77 are needed to install the package")
    folder = tmp_path_factory.mktemp("third-party")
    source, target = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def tracekit(installed: Path, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    command = [sys.executable, "-m", "tracekit.cli.main", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_package_s_model_is_found_and_replayed(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(tracekit(installed, tmp_path, "models", "--json"))
    assert ("turns", "turns") in [(model["name"], model["kernel_policy"]) for model in listed]
    shown = tracekit(installed, tmp_path, "models", "turns")
    assert "Operating System Concepts" in shown and "turns.slice_ns" in shown
    tracekit(installed, tmp_path, "replay", "fork_join", "--model", "turns", "--set", "turns.slice_ns=8ms")
    run = load_all(tmp_path / "fork_join.runs")["turns"]
    assert run.meta["kernel_policy"] == "turns"
    assert run.meta["parameters"]["turns.slice_ns"] == 8 * MS
    assert run.meta["outcome"] == "completed"


def test_its_file_is_short() -> None:
    assert len((PACKAGE / "tracekit_turns.py").read_text(encoding="utf-8").splitlines()) < 80
