"""Bundles on disk: a folder of Parquet files and `meta.json`, written beside its final name and renamed when whole.

`meta.json` holds `kind`, `schema_version`, `tool_version`, `meta` (the bundle's own, `tables.meta`), per table its
rows and the SHA-256 of its file, and one of all that, so that damage is noticed before a wrong number is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.errors import StoreError
from tracekit.tables import build
from tracekit.tables.bundle import KINDS, Bundle
from tracekit.tables.schema import BUNDLES, SCHEMA_VERSION, TABLES, TABLES_SINCE, Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".tracekit"
META_FILE = "meta.json"
ROW_GROUP_ROWS = 1 << 20  # of a Parquet file; what a reader takes in at once
_ELSEWHERE = "choose another name with -o"
_AGAIN = "make the bundle again from its recording"


def is_bundle(folder: Path) -> bool:
    """Whether a folder says that it is a bundle. It may still be damaged."""
    return (folder / META_FILE).is_file()


def is_collection(folder: Path) -> bool:
    """Whether a folder holds bundles and nothing else: what `save_all` writes."""
    entries = list(folder.iterdir()) if folder.is_dir() else []
    return bool(entries) and all(entry.suffix == SUFFIX and is_bundle(entry) for entry in entries)


def save(bundle: Bundle, folder: Path | str, *, force: bool = False) -> Path:
    """Write a bundle to `folder` whole or not at all, and give the folder back.

    Raises StoreError when the folder exists (`force` replaces bundles, never anything else) or can't be written.
    """
    with whole(Path(folder), force) as partial, writing(Path(folder)):
        _write(bundle, partial)
    return Path(folder)


def save_all(bundles: Mapping[str, Bundle], folder: Path | str, *, force: bool = False) -> Path:
    """Write several bundles as `folder/NAME.tracekit`, all or none. Raises StoreError as `save` does."""
    with whole(Path(folder), force) as partial, writing(Path(folder)):
        for name, bundle in bundles.items():
            inside = partial / f"{name}{SUFFIX}"
            inside.mkdir()
            _write(bundle, inside)
    return Path(folder)


def load_all(folder: Path | str) -> dict[str, Bundle]:
    """The bundles of a folder that `save_all` wrote, by name. Raises StoreError as `load` does."""
    where = Path(folder)
    if not is_collection(where):
        raise StoreError("not a folder of tracekit bundles", where=str(where), remedy="make one with `tracekit replay`")
    return {path.name.removesuffix(SUFFIX): load(path) for path in sorted(where.iterdir())}


def refuse_overwrite(final: Path, *, force: bool = False) -> None:
    """Raise StoreError when `final` can't be written, or exists and may not be replaced: to ask before long work."""
    if not os.path.lexists(final):
        _refuse_unwritable(final)
        return
    if not (is_bundle(final) or is_collection(final)):
        raise StoreError("exists and is no tracekit bundle", where=str(final), remedy=_ELSEWHERE)
    if not force:
        raise StoreError(
            "exists already", where=str(final), remedy="choose another name with -o, or --force to replace it"
        )


def load(folder: Path | str) -> Bundle:
    """The Trace, Program or Run in `folder`.

    Raises StoreError for a folder that is no bundle, a damaged or missing table, and a newer schema version.
    """
    where = Path(folder)
    header = read_header(where)
    kind = header["kind"]
    version = header["schema_version"]
    tables = {
        name: _read_table(where / f"{name}.parquet", declared, header["tables"].get(name), version)
        for name, declared in BUNDLES[kind].items()
        if TABLES_SINCE.get(declared, 1) <= version
    }
    return KINDS[kind](tables, header["meta"])


def read_header(folder: Path) -> dict[str, Any]:
    """What `meta.json` says, without reading a table. Raises StoreError as `load` does."""
    path = folder / META_FILE
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(
            f"not a tracekit bundle (no {META_FILE})", where=str(folder), remedy="make one with `tracekit ingest`"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"damaged bundle: {META_FILE} can't be read ({_reason(error)})", where=str(path)) from None
    _check_header(header, path)
    return dict(header)


def check_files(folder: Path) -> None:
    """Raise StoreError, as `load` does, where a table's file is missing or not as it was written; nothing is loaded."""
    for name, noted in read_header(folder)["tables"].items():
        _prove(folder / f"{name}.parquet", noted)


def _check_header(header: Any, path: Path) -> None:
    version = header.get("schema_version") if isinstance(header, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise StoreError(f"not a tracekit bundle ({META_FILE} is something else's)", where=str(path.parent))
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"written by a newer tracekit (schema version {version}; this one reads up to {SCHEMA_VERSION})",
            where=str(path.parent),
            remedy="upgrade tracekit",
        )
    if header.get("kind") not in BUNDLES or header.pop("sha256", None) != _header_digest(header):
        raise StoreError(f"damaged bundle: {META_FILE} is not as tracekit writes it", where=str(path), remedy=_AGAIN)


def _refuse_unwritable(final: Path) -> None:
    ancestor = next(folder for folder in final.absolute().parents if os.path.lexists(folder))
    if not ancestor.is_dir():
        raise StoreError(f"can't write there: {ancestor} is not a folder", where=str(final), remedy=_ELSEWHERE)
    if not os.access(ancestor, os.W_OK):
        raise StoreError(f"can't write there: no right to write in {ancestor}", where=str(final), remedy=_ELSEWHERE)


@contextmanager
def whole(final: Path, force: bool) -> Iterator[Path]:
    """A fresh folder beside `final` that takes its name if all goes well, and is gone otherwise; Ctrl-C included."""
    refuse_overwrite(final, force=force)
    partial = final.parent / f".{final.name}.partial-{os.getpid()}"
    try:
        with writing(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            discard(partial)  # left by a killed process of the same id
            partial.mkdir()
        yield partial
        with writing(final):
            _publish(partial, final)
    finally:
        discard(partial)


@contextmanager
def writing(final: Path) -> Iterator[None]:
    """What the system refuses meanwhile is about the bundle that is to be `final`: a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"can't write the bundle ({_reason(error)})", where=str(final)) from None


def discard(folder: Path) -> None:
    """Remove a folder of our own, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def _write(bundle: Bundle, folder: Path) -> None:
    tables = {
        name: write_table([table], table.schema, folder / f"{name}.parquet") for name, table in bundle.tables.items()
    }
    write_meta(bundle.kind, bundle.meta, tables, folder)


def _publish(partial: Path, final: Path) -> None:
    """Rename over an old bundle in two steps: a folder that is not empty can't be replaced in one."""
    old = partial.with_name(f"{partial.name}-old")
    if final.exists():
        final.rename(old)
    try:
        partial.rename(final)
    except BaseException:
        if old.exists():
            old.rename(final)
        raise
    discard(old)


def write_table(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> dict[str, Any]:
    """Write the rows of `tables`, one after the other, to one file; its rows and digest, for `write_meta`."""
    import pyarrow.parquet as pq

    rows = 0
    # zstd 1 writes about as fast as snappy and half the size; the checksum finds a flipped byte in any reader.
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, write_page_checksum=True) as writer:
        for table in _regrouped(tables):
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            rows += table.num_rows
    return {"rows": rows, "sha256": _digest(path)}


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, as many at a time as a row group has."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    rows, yielded = 0, False
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows >= ROW_GROUP_ROWS:
            together = pa.concat_tables(waiting)
            whole_rows = rows - rows % ROW_GROUP_ROWS
            yield together.slice(0, whole_rows)
            yielded = True
            waiting, rows = [together.slice(whole_rows)], rows - whole_rows
    if rows or not yielded:  # a table without rows has its columns all the same
        yield pa.concat_tables(waiting)


def write_meta(kind: str, meta: dict[str, Any], tables: dict[str, Any], folder: Path) -> None:
    """Write the file that makes a folder of tables a bundle; `tables` is what `write_table` gave for each."""
    from tracekit import __version__

    header = {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "meta": meta,
        "tables": tables,
    }
    header["sha256"] = _header_digest(header)
    (folder / META_FILE).write_text(json.dumps(header, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _header_digest(header: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _read_table(path: Path, declared: str, noted: Any, version: int) -> pa.Table:
    """One table, proven to be the one that was written and of the declared schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _prove(path, noted)
    try:
        return _as_declared(pq.ParquetFile(path).read(), declared, path, version)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"damaged bundle ({_reason(error)})", where=str(path), remedy=_AGAIN) from None


def _prove(path: Path, noted: Any) -> None:
    try:
        if not isinstance(noted, dict) or _digest(path) != noted.get("sha256"):
            raise StoreError(f"damaged bundle: {path.name} is not as it was written", where=str(path), remedy=_AGAIN)
    except FileNotFoundError:
        raise StoreError(f"damaged bundle: {path.name} is missing", where=str(path.parent), remedy=_AGAIN) from None
    except OSError as error:
        raise StoreError(f"damaged bundle ({_reason(error)})", where=str(path), remedy=_AGAIN) from None


def _as_declared(table: pa.Table, declared: str, path: Path, version: int) -> pa.Table:
    """The columns as declared, words in the codes of their vocabulary; any difference is another table.

    A column that is younger than the bundle's schema `version` is not there, and null.
    """
    import pyarrow as pa

    there = [column for column in TABLES[declared] if column.since <= version]
    schema = pa.schema([arrow_schema(declared).field(column.name) for column in there])
    if table.schema.names != schema.names:
        differing = ", ".join(sorted(set(table.schema.names) ^ set(schema.names))) or "their order"
        raise StoreError(f"wrong columns in {path.name}: {differing}", where=str(path), remedy=_AGAIN)
    for field in schema:
        found = table.schema.field(field.name).type
        if _plain_type(found) != _plain_type(field.type):
            raise StoreError(f"column {field.name} is {found}, not {field.type}", where=str(path), remedy=_AGAIN)
    return build.table(declared, {c.name: _column(table, c, path) for c in there}, rows=table.num_rows)


def _column(table: pa.Table, column: Column, path: Path) -> pa.Array:
    """One array; of words, row groups may each have a dictionary of their own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column.name)
    if column.vocabulary is None:
        return values.combine_chunks()
    names = pa.array(column.vocabulary.names, pa.string())
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    if all(chunk.dictionary.equals(names) for chunk in values.chunks):
        return values.combine_chunks()
    plain = values.cast(pa.string()).combine_chunks()
    codes = pc.index_in(plain, value_set=names)
    if codes.null_count != plain.null_count:
        raise StoreError(f"column {column.name} holds an unknown word", where=str(path), remedy="upgrade tracekit")
    return pa.DictionaryArray.from_arrays(codes.cast(pa.int8()), names)


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
