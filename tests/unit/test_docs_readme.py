"""The README can't rot: commands in it exist and parse, every command is in it, and CI runs what it says."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import tracekit
from tracekit.cli.main import COMMANDS, app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
CALLS = [part.strip().split(" > ")[0] for line in LINES for part in line.split("&&") if "tracekit " in f"{part} "]
TRACEKIT_CALLS = [call for call in CALLS if shlex.split(call)[0].endswith("tracekit")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert any(shlex.split(call)[1] == command for call in TRACEKIT_CALLS)


@pytest.mark.parametrize("call", TRACEKIT_CALLS)
def test_every_call_in_the_readme_parses(call: str) -> None:
    name, *arguments = shlex.split(call)[1:]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments).close()  # raises on an unknown option or a bad value


def test_the_python_example_uses_what_there_is() -> None:
    [example] = [block for kind, block in BLOCKS if kind == "python"]
    called = {
        node.attr
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tracekit"
    }
    assert called <= set(tracekit.__all__)


def test_ci_runs_the_readme_s_test_command() -> None:
    marked = re.search(r"<!-- tests -->\n```bash\n(.*?)\n```", README, re.DOTALL)
    assert marked and marked[1].endswith("&& .venv/bin/python -m pytest")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "/<!-- tests -->/" in script and "README.md" in script
    assert 'eval "${tests% && *}"' in script and 'eval "${tests##* && }"' in script


def test_files_that_the_readme_names_are_there() -> None:
    named = re.findall(r"`((?:tracekit|tests)/[\w/.]+)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
