"""Saving a table's rows to a Parquet file before they are taken away, so that they can be put back as they were."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pandas_clicdata import reading, rows, schema, tables
from pandas_clicdata.errors import ClicDataError, FrameError
from pandas_clicdata.models import ColumnType, Decoded, Kind, TableRef
from pandas_clicdata.writing import fingerprint
from pandas_clicdata.writing.content import Content
from pandas_clicdata.writing.fingerprint import Sums

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_METADATA = b"pandas_clicdata backup 1"
_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)
_BY_KIND: Mapping[Kind, ColumnType] = {
    Kind.INTEGER: ColumnType.NUMBER,
    Kind.FLOAT: ColumnType.NUMBER,
    Kind.LITERAL: ColumnType.NUMBER,
    Kind.BOOLEAN: ColumnType.CHECKBOX,
}


@dataclass(frozen=True, eq=False)
class Saved:
    """A table's rows, and what its columns are to ClicData."""

    table: pa.Table
    types: Mapping[str, str]

    def content(self) -> Content:
        """The rows as they would be sent."""
        door = schema.enter(self.table)
        return Content.planned_as(door, schema.plan_columns(door, self.types))


def take(session: Session, found: TableRef, known: tables.KnownColumns | None) -> Saved:
    """Read all rows of a table, and make sure that they could be put back as they are.

    Raises
    ------
    IncompleteReadError
        They could not be read.
    ClicDataError
        Some would not come back as they are.
    """
    listed = [] if known is None else [column for column in known.columns if not tables.is_row_id(column, known.typed)]
    hidden = set() if known is None else {column.name for column in known.columns} - {each.name for each in listed}
    declared = {column.name: column.data_type for column in listed if column.data_type in list(ColumnType)}
    names = [column.name for column in listed]
    pieces: list[tuple[dict[str, Decoded], int]] = []
    with closing(reading.pages(session, found.rec_id)) as pages:
        for page in pages:
            names = [name for name in rows.names_in(page, names) if name not in hidden]
            decoded = rows.decode(page, names, mixed_as_text={name for name in names if declared.get(name) in _TEXTS})
            pieces.append((dict(zip(names, decoded, strict=True)), len(page)))
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, str] = {}
    for name in names:
        none = Decoded(Kind.NULL, pa.chunked_array([pa.nulls(0)]))
        parts = [part.get(name, Decoded(Kind.NULL, pa.chunked_array([pa.nulls(count)]))) for part, count in pieces] or [
            none
        ]
        whole = rows.unify(parts, name, mixed_as_text=declared.get(name) in _TEXTS)
        types[name] = str(declared.get(name) or _BY_KIND.get(whole.kind, ColumnType.TEXT))
        columns[name] = schema.arrow_column(schema.settle(whole, declared.get(name, "")))
    saved = Saved(pa.table(columns), types)
    _check_exact(session, found, saved)
    return saved


def _check_exact(session: Session, found: TableRef, saved: Saved) -> None:
    """Refuse rows that would not be put back as they are: they are compared with the table, read once more."""
    if not saved.table.num_rows:
        return
    try:
        content = saved.content()
    except FrameError as exc:
        raise ClicDataError(
            f"The rows of table {found.label} cannot be saved so that they could be put back, and nothing was changed:"
            f" {exc}",
            operation="read",
        ) from exc
    now = Sums()
    planned = content.planned
    with closing(reading.pages(session, found.rec_id)) as pages:
        for page in pages:
            columns = fingerprint.of_page(page, planned)
            now = now.plus(fingerprint.sums_of([column.name for column in planned], columns))
    differences = content.sums().differences(now)
    if differences:
        raise ClicDataError(
            f"The rows of table {found.label} cannot be saved so that they could be put back as they are, or they"
            f" change just now ({'; '.join(differences)}). Nothing was changed.",
            operation="read",
        )


def place(given: str | os.PathLike[str] | None, found: TableRef) -> Path:
    """Where the file is to be; its folder is there afterwards.

    Raises
    ------
    ValueError
        Something is there already, or the folder is not.
    """
    name = re.sub(r"[^\w.-]+", "_", found.name or "table")[:60]
    file = f"{name}-{found.rec_id}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.parquet"
    if given is None:
        import platformdirs

        folder = platformdirs.user_data_path("pandas_clicdata", appauthor=False) / "backups"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / file
    path = Path(given).absolute()
    return path / file if path.is_dir() else path


def check_place(given: str | os.PathLike[str] | None) -> None:
    """Refuse a path that is taken or has no folder.

    Raises
    ------
    ValueError
        Saying which.
    """
    if given is None or Path(given).is_dir():
        return
    if Path(given).exists():
        raise ValueError(
            f"backup= names {os.fspath(given)!r}, which is there already, and a backup overwrites nothing."
        )
    if not Path(given).absolute().parent.is_dir():
        raise ValueError(
            f"backup= names a file in the folder {str(Path(given).absolute().parent)!r}, which is not there."
        )


def write(saved: Saved, path: Path, found: TableRef) -> None:
    """Write the file, for its owner's eyes only, and read it again to be sure.

    Raises
    ------
    ClicDataError
        It could not be written.
    """
    import pyarrow.parquet as pq

    about = {"rec_id": found.rec_id, "name": found.name, "types": dict(saved.types)}
    table = saved.table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        if not pq.read_table(temporary).equals(table):
            raise OSError("what was written does not read back the same")  # noqa: TRY301
        Path(temporary).replace(path)
    except (OSError, pa.ArrowException) as exc:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ClicDataError(
            f"The old rows of table {found.label} could not be saved to {path}, so nothing was changed: {exc}"
        ) from exc


def load(path: str | os.PathLike[str]) -> Saved:
    """Read a backup.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no backup.
    """
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no backup {os.fspath(path)!r}.")
    try:
        table = pq.read_table(path)
        about: Any = json.loads((table.schema.metadata or {})[_METADATA])
        types = {str(name): str(data_type) for name, data_type in about["types"].items()}
    except (pa.ArrowException, KeyError, ValueError, AttributeError) as exc:
        raise ValueError(f"{os.fspath(path)!r} is no backup that a replace has made.") from exc
    return Saved(table.replace_schema_metadata(None), types)
