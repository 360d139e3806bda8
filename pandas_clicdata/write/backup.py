"""Save the rows of a table to a Parquet file before a replace deletes them, so that they can be restored."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pandas_clicdata import read
from pandas_clicdata._config import user_folder
from pandas_clicdata._durable import AtomicFile
from pandas_clicdata._models import ColumnType, DecodedColumn, Kind, StrPath, TableRef
from pandas_clicdata.client import api
from pandas_clicdata.errors import ClicDataError, ColumnMismatchError, ConfigurationError, FrameError
from pandas_clicdata.types import infer, ingest, plan, row_codec
from pandas_clicdata.types.infer import parsed_text
from pandas_clicdata.write import fingerprint
from pandas_clicdata.write.fingerprint import Checksums
from pandas_clicdata.write.payload import Payload

if TYPE_CHECKING:
    from pandas_clicdata.write.context import WriteContext


_METADATA = b"pandas_clicdata backup 1"
_FOLDER_HINT = "Pass a file or folder as backup=, or set XDG_DATA_HOME to a writable folder."
_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)
_BY_KIND: Mapping[Kind, ColumnType] = {
    Kind.INTEGER: ColumnType.NUMBER,
    Kind.FLOAT: ColumnType.NUMBER,
    Kind.LITERAL: ColumnType.NUMBER,
    Kind.BOOLEAN: ColumnType.CHECKBOX,
}


@dataclass(frozen=True, eq=False)
class SavedRows:
    """The rows of a table, and the types of its columns.

    Attributes
    ----------
    table : pyarrow.Table
        The rows.
    types : dict of str to str
        The ClicData type of each column that can be restored; a column that the service fills itself cannot.
    typed : bool
        Whether the service lists these types; else they are inferred from the values.
    """

    table: pa.Table
    types: Mapping[str, str]
    typed: bool

    def payload(self) -> Payload:
        """Return the rows as they would be sent."""
        source = ingest.as_source(self.table.select(list(self.types)))
        return Payload.from_plans(source, plan.plan_columns(source, self.types))


def read_rows(context: WriteContext, known: api.KnownColumns | None) -> SavedRows:
    """Read all rows of the table of a replace, and check that they are complete and can be restored exactly.

    Parameters
    ----------
    context : WriteContext
        The replace. Its columns show the type of a column where the service does not list it.
    known : KnownColumns or None
        The columns that the table's first page shows.

    Raises
    ------
    IncompleteReadError
        The rows could not be read.
    ClicDataError
        Some rows could not be restored exactly, or differed when they were read again.
    """
    table, planned = context.table, context.payload.planned
    typed = known is not None and known.typed
    listed = () if known is None else known.columns
    row_ids = {column.name for column in listed if api.is_row_id(column, typed)}
    hidden = row_ids if typed else set()
    declared = {column.name: column.data_type for column in listed if column.data_type in list(ColumnType)}
    names = [column.name for column in listed if column.name not in hidden]
    pieces: list[tuple[dict[str, DecodedColumn], int]] = []
    with closing(read.pages(context.client, table.rec_id, repeated_pages=context.options.repeated_pages)) as pages:
        for page in pages:
            names = [name for name in row_codec.names_in(page, names) if name not in hidden]
            mixed = {name for name in names if declared.get(name) in _TEXTS}
            decoded = row_codec.decode(page, names, mixed_as_text=mixed)
            pieces.append((dict(zip(names, decoded, strict=True)), len(page)))
    own_types = {column.name: column.data_type for column in planned}
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, str] = {}
    for name in names:
        column = row_codec.unify(_pieces_of(pieces, name), name, mixed_as_text=declared.get(name) in _TEXTS)
        data_type, inferred = _typed(table, name, column, declared.get(name), own_types.get(name))
        columns[name] = infer.arrow_column(inferred)
        if name not in row_ids:
            types[name] = str(data_type)
        elif name in own_types:
            # A column named "id" may be the user's, or the row id, which the service fills itself.
            if _may_be_row_id(column):
                raise ColumnMismatchError(
                    f"Table {table.label} has a column {name!r} of unique whole numbers, which may be the row id that"
                    " ClicData fills itself. The service does not list its type, so it is unknown whether its values"
                    " could be restored. Nothing was changed. If it is the row id, drop the column from the frame; if"
                    " not, use delete_rows and append.",
                    extra=[name],
                )
            types[name] = str(data_type)
    saved = SavedRows(pa.table(columns), types, typed)
    _check_exact(context, saved, len(pieces))
    return saved


def _pieces_of(pieces: Sequence[tuple[Mapping[str, DecodedColumn], int]], name: str) -> list[DecodedColumn]:
    """Return the column of each page; one empty column if there are no pages."""
    return [page[name] if name in page else row_codec.nulls(count) for page, count in pieces] or [row_codec.nulls(0)]


def _typed(
    table: TableRef, name: str, column: DecodedColumn, declared: str | None, own_type: ColumnType | None
) -> tuple[str, infer.InferredColumn]:
    """Return the type of a column, and its values in that type."""
    if declared is not None or column.kind is not Kind.TEXT:
        return declared or _BY_KIND.get(column.kind, ColumnType.TEXT), infer.infer_column(column, declared or "")
    datetimes = parsed_text(column.array, ColumnType.DATETIME)
    if datetimes is not None and own_type is ColumnType.DATETIME:
        return ColumnType.DATETIME, infer.InferredColumn(datetimes)
    inferred = infer.infer_column(column, "")
    if datetimes is not None and pa.types.is_large_string(inferred.values.type):
        raise ClicDataError(
            f"Column {name!r} of table {table.label} holds datetimes in another form than ClicData accepts, or text"
            " that looks like datetimes. The service does not list the column's type, so it is unknown how to restore"
            " the values. Nothing was changed. If they are datetimes, convert the frame's column:"
            f" df[{name!r}] = pd.to_datetime(df[{name!r}])",
            operation="read",
        )
    return ColumnType.TEXT, inferred


def _may_be_row_id(column: DecodedColumn) -> bool:
    values = column.array
    return column.kind is Kind.INTEGER and not values.null_count and len(values.unique()) == len(values)


def _check_exact(context: WriteContext, saved: SavedRows, pages_read: int) -> None:
    """Refuse rows that are incomplete or could not be restored exactly.

    They are compared with the table, which is read a second time, from the last page to the first.

    Raises
    ------
    ClicDataError
        They differ.
    """
    table = context.table
    if not saved.table.num_rows:
        return
    try:
        payload = saved.payload()
    except FrameError as exc:
        raise ClicDataError(
            f"The rows of table {table.label} could not be restored after a replace, so nothing was changed: {exc}",
            operation="read",
        ) from exc
    found = Checksums()
    planned = payload.planned
    with closing(read.pages_backwards(context.client, table, pages_read, saved.table.num_rows)) as pages:
        for page in pages:
            texts = fingerprint.texts_of_page(page, planned)
            found = found.plus(fingerprint.checksums_of([column.name for column in planned], texts))
    differences = payload.checksums().differences(found)
    if differences:
        raise ClicDataError(
            f"Table {table.label} was read twice, from the first page to the last and back, and the two reads differ:"
            f" {'; '.join(differences)}. Nothing was changed. If the table is changing, or a page was wrong, repeat the"
            " call. Otherwise ClicData returns values in a form that could not be restored.",
            operation="read",
        )


def check_destination(given: StrPath | None) -> None:
    """Refuse a path at which something other than a backup exists, or whose folder does not exist.

    Raises
    ------
    ValueError
        The message states which.
    ConfigurationError
        No path is given, and the user has no home directory.
    """
    if given is None:
        if user_folder("data") is None:
            raise ConfigurationError(
                "A replace saves the old rows first, and there is no folder for them, because this user has no home"
                f" directory. {_FOLDER_HINT}"
            )
        return
    path = Path(given).absolute()
    try:
        if path.is_dir():
            return
        exists, in_folder = os.path.lexists(path), path.parent.is_dir()
    except OSError as exc:
        raise ValueError(f"backup= is not a valid path: {exc}") from exc
    if exists:
        try:
            load(path)
        except (OSError, ValueError) as exc:
            raise _exists(path) from exc
    elif not in_folder:
        raise ValueError(f"backup= names a file in the folder {str(path.parent)!r}, which does not exist.")


def _exists(path: StrPath) -> ValueError:
    return ValueError(
        f"backup= names {os.fspath(path)!r}, which exists already. A backup overwrites nothing; pass another path."
    )


def save(saved: SavedRows, given: StrPath | None, table: TableRef) -> tuple[Path, bool]:
    """Write the rows to a file; return its path, and whether it is new.

    A file that exists already is accepted if it is a backup of the same rows, from a call that stopped before it
    deleted any.

    Raises
    ------
    ValueError
        The file is something else.
    ClicDataError
        The file could not be written.
    """
    try:
        path = _destination(given, table)
        if not os.path.lexists(path):
            _write(saved, path, table)
            return path, True
    except FileExistsError:
        pass
    except (OSError, pa.ArrowException) as exc:
        raise ClicDataError(
            f"The old rows of table {table.label} could not be saved to"
            f" {'the folder for backups' if given is None else os.fspath(given)}, so nothing was changed: {exc}"
            + (f". {_FOLDER_HINT}" if given is None else "")
        ) from exc
    existing = load(path)
    if dict(existing.types) != dict(saved.types) or (existing.payload().checksums() != saved.payload().checksums()):
        raise _exists(path)
    return path, False


def _destination(given: StrPath | None, table: TableRef) -> Path:
    """Return the path of the file, and create the default folder if it is in there."""
    name = re.sub(r"[^\w.-]+", "_", table.name or "table")[:60]
    file = f"{name}-{table.rec_id}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.parquet"
    if given is None:
        home = user_folder("data")
        assert home is not None, "check_destination refuses a user without a home directory"
        folder = home / "backups"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / file
    path = Path(given).absolute()
    return path / file if path.is_dir() else path


def _write(saved: SavedRows, path: Path, table: TableRef) -> None:
    """Write the file, readable only by its owner, and read it back."""
    import pyarrow.parquet as pq

    about = {
        "rec_id": table.rec_id,
        "name": table.name,
        "types": dict(saved.types),
        "typed": saved.typed,
        "content": saved.payload().hash,
    }
    rows = saved.table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
    with AtomicFile(path) as file:
        with file.open() as stream:
            pq.write_table(rows, stream)
        if not _read(file.draft).equals(rows):
            raise OSError("the file does not read back as it was written")
        file.publish(overwrite=False)


def _read(path: StrPath) -> pa.Table:
    import pyarrow.parquet as pq

    with Path(path).open("rb") as file:
        return pq.ParquetFile(file).read()


def load(path: StrPath) -> SavedRows:
    """Read a backup.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not a backup, or is damaged.
    """
    if not Path(path).is_file():
        what = "a folder; pass the file in it" if Path(path).is_dir() else "not an existing file"
        raise FileNotFoundError(f"A backup is a Parquet file. {os.fspath(path)!r} is {what}.")
    try:
        table = _read(path)
        metadata = (table.schema.metadata or {}).get(_METADATA)
        if metadata is None:
            raise ValueError("it was not made by if_exists='replace'; pass receipt.backup or error.backup")  # noqa: TRY301
        about: Any = json.loads(metadata)
        types = {str(name): str(data_type) for name, data_type in about["types"].items()}
        saved = SavedRows(table.replace_schema_metadata(None), types, bool(about["typed"]))
        if saved.payload().hash != about["content"]:
            raise ValueError("its rows do not match its checksum")  # noqa: TRY301
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError, AttributeError, TypeError) as exc:
        raise ValueError(f"{os.fspath(path)!r} is not a backup written by a replace, or it is damaged: {exc}") from exc
    return saved
