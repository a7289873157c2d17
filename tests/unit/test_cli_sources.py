"""Sources that others install: found, used, and named when they fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tracekit.errors import SourceError
from tracekit.sources import registry
from tracekit.sources.base import ReadOptions, Source
from tracekit.tables.build import empty
from tracekit.tables.bundle import Trace
from tracekit.tables.schema import BUNDLES


class Diary:
    """A format of its own."""

    name, title, how_to_record = "diary", "dear diary", "write daily"

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"dear diary")

    def read(self, path: Path, options: ReadOptions) -> Trace:
        return Trace({name: empty(name) for name in BUNDLES["trace"]}, {"from": path.name, "wakeup": options.wakeup})


class Broken(Diary):
    """A source with a bug."""

    def read(self, path: Path, options: ReadOptions) -> Trace:
        raise IndexError("list index\nout of range")


@dataclass(frozen=True)
class Entry:
    """An entry point, as a package declares it."""

    name: str
    loaded: object
    value: str = "package.module:SOURCE"

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    path = tmp_path / "today"
    path.write_text("dear diary, nothing ran")
    return path


def install(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.GROUP else ())


def test_built_in_sources_are_sources() -> None:
    assert all(isinstance(source, Source) for source in registry.sources().values())
    assert len(registry.sources()) == len(registry.BUILT_IN)


def test_an_installed_source_reads_its_files(monkeypatch: pytest.MonkeyPatch, diary: Path) -> None:
    install(monkeypatch, Entry("diary", Diary()))
    assert list(registry.sources())[-1] == "diary"
    assert registry.ingest(diary, ReadOptions(wakeup="wakeup")).meta == {"from": "today", "wakeup": "wakeup"}


def test_a_source_that_fails_is_named_with_the_file(monkeypatch: pytest.MonkeyPatch, diary: Path) -> None:
    install(monkeypatch, Entry("diary", Broken()))
    with pytest.raises(SourceError, match=r"today: the source diary failed \(IndexError: list index out of range\)"):
        registry.ingest(diary)


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (ImportError("no module named pen"), r"source diary \(package\.module:SOURCE\) can't be loaded .*pen"),
        (object(), r"diary .* is no source: it needs name, title"),
    ],
)
def test_a_source_that_can_not_be_loaded_is_named(
    monkeypatch: pytest.MonkeyPatch, diary: Path, traces: Path, loaded: object, message: str
) -> None:
    install(monkeypatch, Entry("diary", loaded))
    with pytest.raises(SourceError, match=message):
        registry.ingest(diary)
    assert registry.identify(traces / "go-forkjoin.trace").name == "go"  # a built-in one does not suffer from it


def test_two_sources_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Entry("one", Diary()), Entry("two", Diary()))
    with pytest.raises(SourceError, match="two sources are called 'diary'"):
        registry.sources()
