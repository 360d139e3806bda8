"""Remember stopped and finished writes: in this process, and in journals in the user's state folder.

A write is recognized by its account, table and columns, and by a digest of each batch that was sent. Without being
asked, each push and append keeps a journal. If the write stops, the journal stays; when it is complete, a record of its
digests replaces the journal for 30 days.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pandas_clicdata._config import journals_wanted, user_folder
from pandas_clicdata._display import StoppedWrites, counted
from pandas_clicdata._durable import AtomicFile, open_regular
from pandas_clicdata._models import TableRef
from pandas_clicdata.client import api
from pandas_clicdata.errors import ClicDataError, JournalInUseError, ResumeError, RowsExistError, UnfinishedWriteError
from pandas_clicdata.session import client_of
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.context import WriteContext
from pandas_clicdata.write.fingerprint import digest_of
from pandas_clicdata.write.journal import Identity, Journal, JournalFile, SentBatch, open_journal
from pandas_clicdata.write.results import call_text
from pandas_clicdata.write.row_ranges import ranges_text

if TYPE_CHECKING:
    from pandas_clicdata.session import Session

_RECORD_SECONDS = 30 * 86400
_RECORDS_PER_TABLE = 100
_JOURNAL, _RECORD = ".journal", ".json"

_in_process: dict[str, dict[str, Entry]] = {}
"""The stopped writes of this process that have no journal in the state folder, by account and id."""
_finished_in_process: dict[str, deque[Entry]] = {}
"""The finished writes of this process that have no record in the state folder, by account."""
# Threads share both without a lock, which a forked child could find held: each change is one operation of a dict or a
# deque, and each reader copies.


@dataclass(frozen=True)
class Entry:
    """A write that is remembered.

    Attributes
    ----------
    journal : Journal
        Its state.
    path : Path or None
        Its journal or record; None if only this process remembers it.
    running : bool
        Whether it is still running, in this process or another.
    """

    journal: Journal
    path: Path | None = None
    running: bool = False

    def concerns(self, table: TableRef) -> bool:
        """Return whether the write is one to this table, or was about to create a table of its name."""
        own = self.journal.table
        if own is None:
            return self.journal.creating and self.journal.identity.table == table.name
        return own.rec_id == table.rec_id

    @property
    def has_rows(self) -> bool:
        """Whether rows of the write are in the table, or may be."""
        return bool(self.journal.confirmed or self.journal.unknown or self.journal.resent)

    def summary(self) -> str:
        """Return a sentence that says what the write did, and when."""
        journal = self.journal
        operation = journal.identity.operation
        what = f"{'An' if operation == 'append' else 'A'} {operation} to table {_label(journal)}"
        when = f"{datetime.fromtimestamp(journal.last_at, UTC):%Y-%m-%d %H:%M} UTC"
        if journal.done is not None:
            return f"{what} was complete on {when}."
        if journal.table is None:
            return f"{what} stopped on {when}, while the table was created."
        confirmed, unknown = row_ranges.count(journal.confirmed), row_ranges.count(journal.unknown_ranges)
        rows = journal.identity.rows
        total = f"{confirmed:,} rows of a stream" if rows is None else f"{confirmed:,} of {rows:,} rows"
        doubt = f", and perhaps {unknown:,} more" if unknown else ""
        return f"{what} stopped on {when}: {total} are in the table{doubt}."

    def line(self) -> str:
        """Return the line of code that continues the write."""
        identity = self.journal.identity
        is_explicit = self.path is not None and not _is_own(self.path, identity.account)
        doubtful = self.journal.unknown and not {"stamp", "on", "on_unknown"} & identity.call.keys()
        return call_text(
            identity,
            **({"on_unknown": "check"} if doubtful else {}),
            **({"journal": str(self.path)} if is_explicit else {"resume": True}),
        )

    def forget(self) -> None:
        """Forget the write. The file of an explicit journal stays."""
        account = self.journal.identity.account
        _in_process.get(account, {}).pop(self.journal.id, None)
        with contextlib.suppress(ValueError):
            _finished_in_process.get(account, deque()).remove(self)
        if self.path is not None and _is_own(self.path, account):
            _remove(self.path)


def _label(journal: Journal) -> str:
    return repr(journal.identity.table) if journal.table is None else journal.table.label


# the folder of an account


def _folder(account: str) -> Path | None:
    """Return the folder of an account's journals and records; None if the user has no home directory."""
    state = user_folder("state")
    return None if state is None else state / "writes" / hashlib.sha256(account.encode()).hexdigest()[:16]


def _is_own(path: Path, account: str) -> bool:
    folder = _folder(account)
    return folder is not None and path.parent == Path(os.path.realpath(folder))


def _files(account: str, suffix: str, start: str = "") -> list[Path]:
    folder = _folder(account)
    if folder is None:
        return []
    try:
        found = [each.name for each in os.scandir(folder) if each.name.endswith(suffix) and each.name.startswith(start)]
    except OSError:
        return []
    return [Path(os.path.realpath(folder)) / name for name in found]


def _remove(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}.lock")):
        with contextlib.suppress(OSError):
            each.unlink(missing_ok=True)


def _load_journal(path: Path) -> Entry | None:
    """Load a journal; None if it was deleted in the meantime or cannot be read."""
    running = False
    try:
        try:
            with JournalFile(path) as file:
                events = file.read()
        except JournalInUseError:
            running, events = True, JournalFile(path).peek()
        if not events:
            return None
        journal = Journal(Identity.from_header(events[0]))
        journal.replay(events[0], events[1:])
    except ResumeError:
        return None
    return Entry(journal, path, running)


def entries(account: str) -> list[Entry]:
    """Return the stopped and running writes of an account, the latest last."""
    loaded = [_load_journal(path) for path in _files(account, _JOURNAL)]
    own = list(_in_process.get(account, {}).values())
    loaded += [each if each.path is None else _load_journal(each.path) for each in own]
    # The state in this process is newer than that of a journal that could not be written to the end.
    found = {each.journal.id: each for each in loaded if each is not None}
    for each in found.values():
        if each.journal.done is not None and not each.running and each.path and _is_own(each.path, account):
            # The process was killed before it could replace the journal.
            _keep_record(each.journal, each.path)
    stopped = (
        each for each in found.values() if each.journal.done is None and each.journal.identity.account == account
    )
    return sorted(stopped, key=lambda each: each.journal.last_at)


def records(account: str, table: TableRef) -> list[Entry]:
    """Return the finished writes to a table, the latest last."""
    found = [each for each in list(_finished_in_process.get(account, ())) if each.concerns(table)]
    for path in _files(account, _RECORD, f"{table.rec_id}-"):
        with contextlib.suppress(ResumeError, OSError):
            with open_regular(path) as file:
                journal = Journal.from_record(file.read())
            if journal.identity.account == account and journal.last_at > time.time() - _RECORD_SECONDS:
                found.append(Entry(journal, path))
    return sorted(found, key=lambda each: each.journal.last_at)


def _keep_record(journal: Journal, path: Path) -> None:
    """Replace the journal of a finished write by a record, and remove old records, also those of other accounts."""
    if journal.table is not None and journal.sent:
        start = f"{journal.table.rec_id}-"
        with contextlib.suppress(OSError):
            with AtomicFile(path.with_name(f"{start}{journal.id}{_RECORD}")) as file:
                with file.open() as stream:
                    stream.write(journal.record_text())
                file.publish(overwrite=True)
            aged = sorted((each.stat().st_mtime, each) for each in path.parent.parent.glob(f"*/*{_RECORD}"))
            of_table = [each for _, each in aged if each.parent == path.parent and each.name.startswith(start)]
            too_old = [each for changed, each in aged if changed < time.time() - _RECORD_SECONDS]
            for each in {*too_old, *of_table[:-_RECORDS_PER_TABLE]}:
                _remove(each)
    _remove(path)


# comparing rows


def _equal(context: WriteContext, batches: Sequence[SentBatch]) -> Iterator[bool]:
    """Yield for each batch that was sent whether the rows of the context at its positions are the same."""
    rows = context.payload.rows or 0
    for batch in batches:
        within = all(stop <= rows for _, stop in batch.ranges)
        yield within and digest_of(context.encode(context.payload.take(batch.ranges), batch.stamp)) == batch.digest


def _same_columns(ours: Identity, theirs: Identity) -> bool:
    return [list(each) for each in ours.columns] == [list(each) for each in theirs.columns]


def _has_rows_of(context: WriteContext, entry: Entry) -> bool:
    """Return whether some of the rows of the context are those that a write sent.

    Of a finished write, only the first batch, the last and one in the middle are compared: comparing all takes as long
    as encoding the frame.
    """
    batches = list(entry.journal.sent.values())
    if not batches or not _same_columns(context.journal.identity, entry.journal.identity):
        return False
    if context.payload.rows is None:
        first = min(batches, key=lambda batch: batch.ranges)
        part = context.payload.peek(row_ranges.count(first.ranges))
        return first.ranges[0][0] == 0 and digest_of(context.encode(part, first.stamp)) == first.digest
    if entry.journal.done is not None:
        batches = [batches[at] for at in sorted({0, len(batches) // 2, len(batches) - 1})]
    return any(_equal(context, batches))


def _difference(context: WriteContext, table: TableRef, known: api.KnownColumns | None, journal: Journal) -> str:
    """Return in what a call differs from a write that stopped or ended; an empty text if it is the same."""
    ours, theirs = context.journal.identity, journal.identity
    if not _same_columns(ours, theirs):
        return "the columns or their types differ"
    for name in ("stamp", "on"):
        before, now = getattr(theirs, name), getattr(ours, name)
        if (before or None) != (now or None):
            return f"{name}= differs ({before!r} then, {now!r} now)"
    if theirs.rows is not None and theirs.rows != ours.rows:
        return f"it had {theirs.rows:,} rows, and this frame has {ours.rows or 0:,}"
    batches = list(journal.sent.values())
    aligned = replace(context, table=table, journal=journal).aligned(known)
    for batch, equal in zip(batches, _equal(aligned, batches), strict=True):
        if not equal:
            return f"{ranges_text(batch.ranges)} differ from those that were sent"
    return ""


# what a call continues, and what it must not repeat


def _to_resume(context: WriteContext, table: TableRef) -> Entry | None:
    """Return the stopped or finished write that a call with ``resume=True`` continues; None to start a new one.

    Raises
    ------
    JournalInUseError
        The write is still running.
    ResumeError
        A write to this table stopped, and this call is another one.
    """
    account, is_replace = context.client.account_label, context.options.if_exists == "replace"
    stopped = [each for each in reversed(entries(account)) if each.concerns(table)]
    known, differences = None, []
    finished = records(account, table)
    for each in stopped:
        was_replace = each.journal.identity.if_exists == "replace" and not each.journal.made
        if is_replace and not was_replace:
            # A replace removes what the other write has sent.
            continue
        if each.running:
            raise JournalInUseError(
                f"The {each.journal.identity.operation} to table {_label(each.journal)} is still running. Wait until it"
                " ends."
            )
        later = [other for other in finished if other.journal.last_at >= each.journal.last_at]
        if not each.has_rows and not is_replace and later:
            # The user may have sent the rows with another call.
            known = known or api.known_columns(context.client.first_page(table))
            same = [other for other in later if not _difference(context, table, known, other.journal)]
            if same:
                each.forget()
                return same[-1]
        if each.journal.table is None:
            return each
        difference = "it was a replace" if was_replace and not is_replace else ""
        if not difference:
            known = known or api.known_columns(context.client.first_page(table))
            difference = _difference(context, table, known, each.journal)
        if not difference:
            return each
        differences.append(f"{each.summary()} This call does not continue it: {difference}.\n{_choices(context, each)}")
    if differences:
        raise ResumeError("\n".join(differences))
    if is_replace:
        # Rows that were written after a replace are still to be removed.
        finished = [each for each in finished[-1:] if each.journal.identity.if_exists == "replace"]
    for each in reversed(finished):
        known = known or api.known_columns(context.client.first_page(table))
        if not _difference(context, table, known, each.journal):
            return each
    return None


def _choices(context: WriteContext, entry: Entry) -> str:
    """Return the lines of code to choose from."""
    identity = context.journal.identity
    other = call_text(replace(identity, call={**identity.call, **_append_instead(context)}), resume=False)
    lines = [
        (entry.line(), "continue it, with the same rows"),
        (other, "send all rows of this frame as well, and forget the stopped write"),
        (f'cd.discard_unfinished("{entry.journal.id}")', "only forget the stopped write"),
    ]
    width = max(len(line) for line, _ in lines)
    return "\n".join(f"    {line:{width}}  # {what}" for line, what in lines)


def _append_instead(context: WriteContext) -> dict[str, str]:
    is_push = context.operation == "push"
    return {"if_exists": "append"} if is_push and context.options.if_exists == "fail" else {}


def refuse_second_copy(context: WriteContext) -> None:
    """Refuse to append rows to a table that has them already, as far as writes to it are remembered.

    The context is aligned with the table, and has sent no rows. It may continue a write that stopped before its first
    row; then other writes may have sent its rows. A push to a table with a write that stopped is refused even if its
    rows differ, because they are usually the same rows with a correction. Without a journal, finished writes are not
    known.

    Raises
    ------
    UnfinishedWriteError
        A write to the table stopped.
    RowsExistError
        The rows were sent by a write that is complete.
    """
    resumed = context.options.resume
    # Which write a token continues is checked when the token is used.
    if resumed is False or isinstance(resumed, Mapping) or context.payload.rows == 0:
        return
    account = context.client.account_label
    for each in reversed(entries(account)) if resumed is None else ():
        if not each.concerns(context.table) or each.running or not each.has_rows:
            continue
        if context.operation == "push" or _has_rows_of(context, each):
            raise _refusal(context, each)
        context.journal.notes.append(f"{each.summary()} To continue it: {each.line()}")
    for each in reversed(records(account, context.table)) if _wants_journal(context) else ():
        if _has_rows_of(context, each):
            again = call_text(context.journal.identity, resume=False)
            raise RowsExistError(
                f"{each.summary()} It sent rows of this call, so nothing was sent now. To send them again:\n    {again}"
            )


def _refusal(context: WriteContext, entry: Entry) -> UnfinishedWriteError:
    journal = entry.journal
    return UnfinishedWriteError(
        f"{entry.summary()} Nothing was sent now. Choose one of:\n{_choices(context, entry)}",
        rec_id=None if journal.table is None else journal.table.rec_id,
        write_id=journal.id,
        confirmed=list(journal.confirmed),
        unknown=journal.unknown_ranges,
    )


def existing_table_advice(context: WriteContext, table: TableRef) -> str:
    """Return what a push should say of earlier writes to a table that exists; an empty text if there are none."""
    account = context.client.account_label
    for each in reversed(entries(account)):
        if each.concerns(table) and not each.running:
            return f"{each.summary()} Choose one of:\n{_choices(context, each)}"
    made = [each for each in reversed(records(account, table)) if each.journal.made]
    # Without this advice if the table cannot be read, or its columns have changed.
    with contextlib.suppress(ClicDataError):
        known = api.known_columns(context.client.first_page(table)) if made else None
        for each in made:
            if not _difference(context, table, known, each.journal):
                return f"{each.summary()} It sent the rows of this frame, so nothing is left to do."
    return ""


def forget_deleted(context: WriteContext, found: TableRef | None) -> None:
    """Forget the stopped writes to a table of this name that was deleted, and add a note."""
    for each in entries(context.client.account_label):
        own = each.journal.table
        is_gone = found is None or (own is not None and own.rec_id != found.rec_id)
        if _name(each.journal) != context.table.name or not is_gone or each.running:
            continue
        if each.journal.id != context.journal.id:
            each.forget()
            if each.has_rows:
                context.journal.notes.append(
                    f"{each.summary()} There is no such table any more, so the write is forgotten."
                )


def _name(journal: Journal) -> object:
    return journal.identity.table if journal.table is None else journal.table.name


@contextlib.contextmanager
def open_write(context: WriteContext, find: Callable[[], TableRef | None]) -> Iterator[WriteContext]:
    """Open the journal of a write, and remember the write if it stops.

    Parameters
    ----------
    context : WriteContext
        The write, with an empty journal.
    find : callable
        Looks up the table; called only for ``resume=True``.

    Yields
    ------
    WriteContext
        The write with its journal and, if the journal knows it, its table.
    """
    options = context.options
    if options.dry_run:
        yield context
    elif isinstance(options.resume, Mapping) or options.journal_path is not None:
        token = options.resume if isinstance(options.resume, Mapping) else None
        path = None if options.journal_path is None else Path(os.path.realpath(options.journal_path))
        with open_journal(context.journal.identity, token, path) as journal:
            for each in entries(journal.identity.account) if token is not None else ():
                # From now on, the token is ahead of the journal that it came from.
                if each.journal.id == journal.id and not each.running:
                    each.forget()
            try:
                yield _with_journal(context, journal)
            finally:
                _close(context, journal, path)
    else:
        entry = None
        if options.resume is True:
            table = find()
            entry = _to_resume(context, table) if table is not None else _creating(context)
        if entry is not None and entry.journal.done is not None:
            yield _with_journal(context, entry.journal)
        else:
            with _automatic(context, entry) as journal:
                yield _with_journal(context, journal)


def _creating(context: WriteContext) -> Entry | None:
    """Return the stopped push that may have created the table, which does not exist now."""
    own = (each for each in entries(context.client.account_label) if each.journal.table is None)
    return next((each for each in own if each.concerns(context.table)), None)


def _with_journal(context: WriteContext, journal: Journal) -> WriteContext:
    return replace(context, journal=journal, table=journal.table or context.table)


@contextlib.contextmanager
def _automatic(context: WriteContext, entry: Entry | None) -> Iterator[Journal]:
    """Open a journal in the state folder, or the one of a write that is continued."""
    if entry is not None and entry.path is None:
        journal, path = entry.journal, None
        journal.identity = context.journal.identity
    else:
        journal = context.journal
        path = _new_path(context) if entry is None else entry.path
    try:
        with contextlib.ExitStack() as stack:
            if path is not None:
                try:
                    file = stack.enter_context(JournalFile(path, synced=False))
                except ResumeError as exc:
                    if entry is not None:
                        raise
                    _note_unavailable(journal, exc)
                else:
                    if entry is not None:
                        events = file.read()
                        journal.replay(events[0], events[1:])
                    file.describe(journal.header(with_frame=False))
                    journal.persist_with(_tolerant(file, journal), file.flush)
            yield journal
    finally:
        _close(context, journal, path)


def _wants_journal(context: WriteContext) -> bool:
    return context.options.journal is not False and journals_wanted()


def _new_path(context: WriteContext) -> Path | None:
    """Return the path of a new journal; None if the write keeps none on disk."""
    account, journal = context.journal.identity.account, context.journal
    if not _wants_journal(context) or not context.client.outlives_process:
        return None
    folder = _folder(account)
    if folder is None:
        _note_unavailable(journal, ResumeError("this user has no home directory. Set HOME or XDG_STATE_HOME"))
        return None
    with contextlib.suppress(OSError):
        # Each parent that is missing gets the same mode, unlike with parents=True.
        for each in (folder.parent.parent, folder.parent, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(os.path.realpath(folder)) / f"{journal.id}{_JOURNAL}"


def _note_unavailable(journal: Journal, reason: ResumeError) -> None:
    journal.notes.append(f"No journal was kept, so only this process could have continued the write: {reason}")


def _tolerant(file: JournalFile, journal: Journal) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes events to a journal; if it cannot be created, the write does without."""

    def persist(event: dict[str, Any]) -> None:
        try:
            file.write(event)
        except ResumeError as exc:
            if file.created:
                raise
            _note_unavailable(journal, exc)
            journal.persist_with(None)

    return persist


def _close(context: WriteContext, journal: Journal, path: Path | None) -> None:
    """Remember a write that stopped; record one that is complete, and forget those that it supersedes."""
    account, options = journal.identity.account, context.options
    is_automatic = path is not None and _is_own(path, account)
    on_disk = path is not None and path.exists()
    _in_process.get(account, {}).pop(journal.id, None)
    entry = Entry(journal, path if on_disk else None)
    if journal.done is not None:
        if options.resume is False or (options.if_exists == "replace" and not journal.made):
            _forget_others(journal)
        if is_automatic and on_disk and path is not None:
            _keep_record(journal, path)
        elif not on_disk and journal.sent and _wants_journal(context):
            _finished_in_process.setdefault(account, deque(maxlen=_RECORDS_PER_TABLE)).append(entry)
    elif entry.has_rows or journal.made or journal.creating or journal.backup or journal.cleared:
        if not (is_automatic and on_disk):
            _in_process.setdefault(account, {})[journal.id] = entry
    elif is_automatic and path is not None:
        _remove(path)


def _forget_others(journal: Journal) -> None:
    """Forget the other writes to the table of a write."""
    if journal.table is not None:
        account = journal.identity.account
        for each in [*entries(account), *records(account, journal.table)]:
            if each.concerns(journal.table) and not each.running and each.journal.id != journal.id:
                each.forget()


# for users


def unfinished(*, session: Session | None = None) -> pd.DataFrame:
    """List the pushes and appends of this account that stopped before they were complete.

    Parameters
    ----------
    session : Session, optional
        The session to use. Default: the one of :func:`connect`.

    Returns
    -------
    DataFrame
        One row per write, the latest last: ``id``; ``table``, its name or RecId; ``operation``; ``rows``, the number of
        rows of the frame, missing for a stream; ``confirmed``, how many of them are in the table; ``unknown``, how many
        may be; ``started`` and ``stopped``, in UTC; ``running``, whether the write is still running, in this process or
        another; and ``resume``, the line of code that continues it.

    See Also
    --------
    discard_unfinished : Forget one of them.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> len(cd.unfinished())
    0
    """
    stopped = entries(client_of(session).account_label)
    facts = {
        "id": pd.Series([each.journal.id for each in stopped], dtype="str"),
        "table": pd.Series([each.journal.identity.table for each in stopped], dtype=object),
        "operation": pd.Series([each.journal.identity.operation for each in stopped], dtype="str"),
        "rows": pd.Series([each.journal.identity.rows for each in stopped], dtype="Int64"),
        "confirmed": pd.Series([row_ranges.count(each.journal.confirmed) for each in stopped], dtype="int64"),
        "unknown": pd.Series([row_ranges.count(each.journal.unknown_ranges) for each in stopped], dtype="int64"),
        "started": _moments([each.journal.started_at for each in stopped]),
        "stopped": _moments([each.journal.last_at for each in stopped]),
        "running": pd.Series([each.running for each in stopped], dtype="bool"),
        "resume": pd.Series([each.line() for each in stopped], dtype="str"),
    }
    heading = f"{counted(len(stopped), 'write')} stopped before the end"
    return StoppedWrites.of(pd.DataFrame(facts), heading)


def _moments(seconds: Sequence[float]) -> pd.Series[Any]:
    return pd.Series([datetime.fromtimestamp(each, UTC) for each in seconds], dtype="datetime64[s, UTC]")


def discard_unfinished(id: str, *, session: Session | None = None) -> None:  # noqa: A002 - the column of unfinished()
    """Forget a write that stopped; its rows stay in the table.

    Parameters
    ----------
    id : str
        The write, as in the column ``id`` of :func:`unfinished`.
    session : Session, optional
        The session to use. Default: the one of :func:`connect`.

    Raises
    ------
    ResumeError
        There is no such write.
    JournalInUseError
        The write is still running.

    See Also
    --------
    unfinished : List the writes that stopped.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> session = cd.connect("sandbox")
    >>> for id in cd.unfinished()["id"]:
    ...     cd.discard_unfinished(id)
    """
    known = {each.journal.id: each for each in entries(client_of(session).account_label)}
    if id not in known:
        raise ResumeError(f"No write with the id {id!r} has stopped. To list those that have: cd.unfinished()")
    if known[id].running:
        raise JournalInUseError(f"The write {id} is still running. Stop it first.")
    known[id].forget()
