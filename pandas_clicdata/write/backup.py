"""Saving a table's rows to a Parquet file before they are taken away, so that they can be put back as they were."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pandas_clicdata import read
from pandas_clicdata._config import user_folder
from pandas_clicdata._models import ColumnType, Decoded, Kind, PlannedColumn, RepeatedPages, TableRef
from pandas_clicdata.client import api
from pandas_clicdata.errors import ClicDataError, ColumnMismatchError, ConfigurationError, FrameError
from pandas_clicdata.types import infer, ingest, plan, row_codec
from pandas_clicdata.types.infer import parsed_text
from pandas_clicdata.write import fingerprint
from pandas_clicdata.write.fingerprint import Sums
from pandas_clicdata.write.journal import sync_folder
from pandas_clicdata.write.payload import Content

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


_METADATA = b"pandas_clicdata backup 1"
_GIVE_A_FOLDER = "Give a file or folder as backup=, or set XDG_DATA_HOME to a folder that can be written."
_TEXTS = (ColumnType.TEXT, ColumnType.DROPDOWN)
_BY_KIND: Mapping[Kind, ColumnType] = {
    Kind.INTEGER: ColumnType.NUMBER,
    Kind.FLOAT: ColumnType.NUMBER,
    Kind.LITERAL: ColumnType.NUMBER,
    Kind.BOOLEAN: ColumnType.CHECKBOX,
}


@dataclass(frozen=True, eq=False)
class Saved:
    """A table's rows, and what its columns are to ClicData.

    Attributes
    ----------
    table : pyarrow.Table
        The rows.
    types : dict of str to str
        The type of each column that can be put back, which one that the service fills itself cannot.
    typed : bool
        Whether the service told these types; else they are what the values look like.
    """

    table: pa.Table
    types: Mapping[str, str]
    typed: bool

    def content(self) -> Content:
        """The rows as they would be sent."""
        door = ingest.enter(self.table.select(list(self.types)))
        return Content.planned_as(door, plan.plan_columns(door, self.types))


def take(
    session: Session,
    found: TableRef,
    known: api.KnownColumns | None,
    like: Sequence[PlannedColumn],
    repeated_pages: RepeatedPages,
) -> Saved:
    """Read all rows of a table, and make sure that they are all and could be put back as they are.

    Parameters
    ----------
    session : Session
        Whose table it is.
    found : TableRef
        The table.
    known : KnownColumns or None
        What its first page has told of its columns.
    like : sequence of PlannedColumn
        The columns of the rows that are to come: they tell the type of a column where the service does not.
    repeated_pages : {"check", "accept"}
        As in a read.

    Raises
    ------
    IncompleteReadError
        They could not be read.
    ClicDataError
        Some would not come back as they are, or were others when they were read once more.
    """
    typed = known is not None and known.typed
    listed = () if known is None else known.columns
    row_ids = {column.name for column in listed if api.is_row_id(column, typed)}
    hidden = row_ids if typed else set()
    declared = {column.name: column.data_type for column in listed if column.data_type in list(ColumnType)}
    names = [column.name for column in listed if column.name not in hidden]
    pieces: list[tuple[dict[str, Decoded], int]] = []
    with closing(read.pages(session, found.rec_id, repeated_pages=repeated_pages)) as pages:
        for page in pages:
            names = [name for name in row_codec.names_in(page, names) if name not in hidden]
            mixed = {name for name in names if declared.get(name) in _TEXTS}
            decoded = row_codec.decode(page, names, mixed_as_text=mixed)
            pieces.append((dict(zip(names, decoded, strict=True)), len(page)))
    ours = {column.name: column.data_type for column in like}
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, str] = {}
    for name in names:
        whole = row_codec.unify(_parts(pieces, name), name, mixed_as_text=declared.get(name) in _TEXTS)
        data_type, settled = _settled(found, name, whole, declared.get(name), ours.get(name))
        columns[name] = infer.arrow_column(settled)
        if name not in row_ids:
            types[name] = str(data_type)
        elif name in ours:
            # A name such as "id" may be a user's column, or the service's own, which it takes from nobody.
            if _may_be_row_id(whole):
                raise ColumnMismatchError(
                    f"Table {found.label} has a column {name!r} of different whole numbers. ClicData may fill it"
                    " itself, and does not say of what type it is, so that nothing shows whether these could be put"
                    " back, and nothing was changed. Drop the column from the frame if it is a row id; if not, use"
                    " delete_rows and append.",
                    extra=[name],
                )
            types[name] = str(data_type)
    saved = Saved(pa.table(columns), types, typed)
    _check_exact(session, found, saved, len(pieces))
    return saved


def _parts(pieces: Sequence[tuple[Mapping[str, Decoded], int]], name: str) -> list[Decoded]:
    """A column of each page, or of none."""
    return [page[name] if name in page else _nulls(count) for page, count in pieces] or [_nulls(0)]


def _nulls(count: int) -> Decoded:
    return Decoded(Kind.NULL, pa.chunked_array([pa.nulls(count)]))


def _settled(
    found: TableRef, name: str, whole: Decoded, declared: str | None, ours: ColumnType | None
) -> tuple[str, infer.Settled]:
    """A column's type, and its values in it."""
    if declared is not None or whole.kind is not Kind.TEXT:
        return declared or _BY_KIND.get(whole.kind, ColumnType.TEXT), infer.settle(whole, declared or "")
    moments = parsed_text(whole.array, ColumnType.DATETIME)
    if moments is not None and ours is ColumnType.DATETIME:
        return ColumnType.DATETIME, infer.Settled(moments)
    settled = infer.settle(whole, "")
    if moments is not None and pa.types.is_large_string(settled.values.type):
        raise ClicDataError(
            f"Column {name!r} of table {found.label} holds moments in another form than ClicData takes them in, or text"
            " that looks like them; it does not say of what type the column is, so that nothing shows how to put them"
            " back. Nothing was changed. Give the frame's column as datetimes, if they are.",
            operation="read",
        )
    return ColumnType.TEXT, settled


def _may_be_row_id(whole: Decoded) -> bool:
    return whole.kind is Kind.INTEGER and not whole.array.null_count and len(whole.array.unique()) == len(whole.array)


def _check_exact(session: Session, found: TableRef, saved: Saved, pages_read: int) -> None:
    """Refuse rows that are not all, or would not be put back as they are.

    They are compared with the table, which is read once more, from the last page to the first.
    """
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
    with closing(read.pages_backwards(session, found, pages_read, saved.table.num_rows)) as pages:
        for page in pages:
            columns = fingerprint.of_page(page, planned)
            now = now.plus(fingerprint.sums_of([column.name for column in planned], columns))
    differences = content.sums().differences(now)
    if differences:
        raise ClicDataError(
            f"The rows of table {found.label} were read twice, from the first page to the last and back, and what would"
            f" be saved differs from what came the second time: {'; '.join(differences)}. Nothing was changed. Either"
            " the table changes just now, or a page came wrong, and the same call can be made again; or ClicData gives"
            " values in a form in which they could not be put back.",
            operation="read",
        )


def check_place(given: str | os.PathLike[str] | None) -> None:
    """Refuse a path that is taken by something else than a backup, or has no folder.

    Raises
    ------
    ValueError
        Saying which.
    ConfigurationError
        None is given, and there is no home directory.
    """
    if given is None:
        if user_folder("data") is None:
            raise ConfigurationError(
                "There is no place to save the old rows of the table in, and a replace saves them first: this user has"
                f" no home directory. {_GIVE_A_FOLDER}"
            )
        return
    path = Path(given).absolute()
    try:
        if path.is_dir():
            return
        there, in_folder = os.path.lexists(path), path.parent.is_dir()
    except OSError as exc:
        raise ValueError(f"backup= names no file that there could be: {exc}") from exc
    if there:
        try:
            load(path)
        except (OSError, ValueError) as exc:
            raise _taken(path) from exc
    elif not in_folder:
        raise ValueError(f"backup= names a file in the folder {str(path.parent)!r}, which is not there.")


def _taken(path: str | os.PathLike[str]) -> ValueError:
    return ValueError(f"backup= names {os.fspath(path)!r}, which is there already, and a backup overwrites nothing.")


def keep(saved: Saved, given: str | os.PathLike[str] | None, found: TableRef) -> tuple[Path, bool]:
    """Write the rows to a file; return where it is, and whether it is new.

    A file that is there already is a backup of just these rows: that of a call that was stopped before it had deleted
    any.

    Raises
    ------
    ValueError
        Something else is there.
    ClicDataError
        It could not be written.
    """
    try:
        path = _place(given, found)
        if not os.path.lexists(path):
            _write(saved, path, found)
            return path, True
    except FileExistsError:
        pass
    except (OSError, pa.ArrowException) as exc:
        raise ClicDataError(
            f"The old rows of table {found.label} could not be saved to"
            f" {'the folder for backups' if given is None else os.fspath(given)}, so nothing was changed: {exc}"
            + (f". {_GIVE_A_FOLDER}" if given is None else "")
        ) from exc
    there = load(path)
    if dict(there.types) != dict(saved.types) or there.content().sums() != saved.content().sums():
        raise _taken(path)
    return path, False


def _place(given: str | os.PathLike[str] | None, found: TableRef) -> Path:
    """Where the file is to be; its folder is there afterwards."""
    name = re.sub(r"[^\w.-]+", "_", found.name or "table")[:60]
    file = f"{name}-{found.rec_id}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.parquet"
    if given is None:
        home = user_folder("data")
        assert home is not None, "check_place has looked"
        folder = home / "backups"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / file
    path = Path(given).absolute()
    return path / file if path.is_dir() else path


def _write(saved: Saved, path: Path, found: TableRef) -> None:
    """Write the file, for its owner's eyes only, and read it again to be sure."""
    import pyarrow.parquet as pq

    about = {
        "rec_id": found.rec_id,
        "name": found.name,
        "types": dict(saved.types),
        "typed": saved.typed,
        "content": saved.content().hash,
    }
    table = saved.table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        if not _read(temporary).equals(table):
            raise OSError("what was written does not read back the same")
        _publish(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(path.parent)


def _publish(temporary: str, path: Path) -> None:
    """Give the file its name, which nothing else may have."""
    try:
        # Unlike a rename, a link never takes the place of what is there.
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        # A file system without links.
        Path(temporary).rename(path)


def _read(path: str | os.PathLike[str]) -> pa.Table:
    import pyarrow.parquet as pq

    with Path(path).open("rb") as file:
        return pq.ParquetFile(file).read()


def load(path: str | os.PathLike[str]) -> Saved:
    """Read a backup.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no backup, or damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no backup {os.fspath(path)!r}.")
    try:
        table = _read(path)
        about: Any = json.loads((table.schema.metadata or {})[_METADATA])
        types = {str(name): str(data_type) for name, data_type in about["types"].items()}
        saved = Saved(table.replace_schema_metadata(None), types, bool(about["typed"]))
        if saved.content().hash != about["content"]:
            raise ValueError("its rows are not those that were saved")  # noqa: TRY301
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError, AttributeError, TypeError) as exc:
        raise ValueError(f"{os.fspath(path)!r} is no backup that a replace has made, or it is damaged: {exc}") from exc
    return saved
