"""The write-ahead log of a write: which write it is, its events, the resume token, and the file that keeps them.

The state of a write changes by events only, so that a journal that is read again leads to the same state. A journal has
one JSON text per line, and each line is on the disk before the next request is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pandas_clicdata._models import TableRef
from pandas_clicdata.errors import JournalInUseError, ResumeError, RowRange
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import Batch, Fate, Outcome
from pandas_clicdata.write.fingerprint import Sums
from pandas_clicdata.write.results import Known

if TYPE_CHECKING:
    from filelock import FileLock


def seal(facts: Mapping[str, Any], before: str = "") -> str:
    """A number for plain JSON facts, and for what stands before them.

    Examples
    --------
    >>> seal({"a": 1, "b": [2]}) == seal({"b": [2], "a": 1})
    True
    >>> seal({"a": 1}, before=seal({})) == seal({"a": 1})
    False
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()[:32]


def sealed(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with their seal."""
    return {**facts, "seal": seal(facts)}


def opened(token: Mapping[str, Any]) -> dict[str, Any]:
    """What was sealed.

    Raises
    ------
    ResumeError
        It is not as it was.
    """
    reason = None
    try:
        facts: dict[str, Any] = json.loads(json.dumps(dict(token)))
        kept = facts.pop("seal", None)
        if kept == seal(facts):
            return facts
    except (TypeError, ValueError, RecursionError) as exc:
        reason = exc
    raise ResumeError(
        "The resume token is not as it was made, or that of another version. Give error.resume as it was."
    ) from reason


FORMAT = "pandas_clicdata write 2"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which write it is: one with another identity may not go on with its record.

    Attributes
    ----------
    operation : str
        ``"push"`` or ``"append"``.
    table : int or str
        RecId or name, as the user gave it.
    if_exists : str
        What a push does where the table is there.
    account : str
        On whose account, as ``Session.account_label``; no secret.
    rows : int or None
        Rows of the frame; None for a stream.
    columns : sequence of (str, str)
        The frame's columns and what they become.
    frame : callable
        Returns the hash of the frame's content, for which all of it must be looked at.
    stamp : str or None
        The column that carries a batch's mark.
    on : sequence of str or None
        The key columns.
    resumable : bool
        Whether a token is of use; False where the same call made again does as much.
    """

    operation: str
    table: int | str
    if_exists: str = ""
    account: str
    rows: int | None
    columns: Sequence[tuple[str, str]]
    frame: Callable[[], str] = field(repr=False)
    stamp: str | None = None
    on: Sequence[str] | None = None
    resumable: bool = True

    def as_dict(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "table": self.table,
            "if_exists": self.if_exists,
            "account": self.account,
            "rows": self.rows,
            "columns": [list(column) for column in self.columns],
            "frame": self.frame(),
            "stamp": self.stamp,
            "on": None if self.on is None else list(self.on),
        }

    def check(self, kept: Mapping[str, Any], where: str) -> None:
        """Refuse a token or journal of another write.

        Raises
        ------
        ResumeError
            Saying in what it differs.
        """
        if kept.get("format") != FORMAT:
            raise ResumeError(
                f"{where} has the format {kept.get('format')!r}, and this version of pandas_clicdata reads {FORMAT!r}."
                " Go on with the version that made it; or look which rows are in the table, and append the others."
            )
        ours = self.as_dict()
        if ours["table"] in (kept.get("rec_id"), kept.get("name")):
            kept = {**kept, "table": ours["table"]}
        words = {
            "operation": "operation", "table": "table", "if_exists": "if_exists=",
            "columns": "list of columns and types", "rows": "number of rows", "frame": "content of the frame",
            "stamp": "stamp=", "on": "on=",
        }  # fmt: skip
        if kept.get("account") != self.account:
            raise ResumeError(
                f"{where} is that of a write to another account: {kept.get('account')!r}. This session works on"
                f" {self.account!r}. Give session= the account of that write, or begin a new write:"
                " leave resume= out, or give journal= another path."
            )
        for key, word in words.items():
            if kept.get(key) != ours[key]:
                shown = "" if key in ("frame", "columns") else f" ({kept.get(key)!r} there, {ours[key]!r} here)"
                raise ResumeError(f"{where} is that of another write: the {word} is not the same{shown}.")


_EVENTS = frozenset({
    "creating", "table", "saved", "cleared", "baseline", "sending", "confirmed", "unknown", "unsent", "found",
    "absent", "astray", "doubted", "deleting", "refused", "done",
})  # fmt: skip


@dataclass(frozen=True)
class Baseline:
    """What an appended table held before, as far as it was looked at.

    Attributes
    ----------
    rows : int or None
        How many rows.
    sums : Sums or None
        What to compare with after the write.
    equal : dict of int to int, or None
        Of the frame's rows, by their hash, how often an equal one was there.
    """

    rows: int | None = None
    sums: Sums | None = None
    equal: Mapping[int, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "sums": None
            if self.sums is None
            else [self.sums.rows, {name: list(pair) for name, pair in self.sums.columns.items()}, self.sums.whole],
            "equal": None if self.equal is None else [list(pair) for pair in self.equal.items()],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Baseline:
        sums = kept["sums"]
        return cls(
            kept["rows"],
            None
            if sums is None
            else Sums(sums[0], {name: (pair[0], pair[1]) for name, pair in sums[1].items()}, sums[2]),
            None if kept["equal"] is None else {pair[0]: pair[1] for pair in kept["equal"]},
        )


NOTHING_BEFORE = Baseline(0, Sums(), {})


@dataclass(frozen=True)
class Pending:
    """Rows that were sent and of which nobody knows where they are; ``since`` is when that came to be."""

    number: int
    ranges: tuple[RowRange, ...]
    mark: str | None
    since: float


class Record:
    """The state of one write.

    Parameters
    ----------
    identity : Identity
        Which write it is.
    note : callable, optional
        Keeps an event where it outlives this process; called before the event counts.
    """

    def __init__(self, identity: Identity, note: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.identity = identity
        self._note = note
        self.id = uuid.uuid4().hex[:16]
        self.table: TableRef | None = None
        self.made = self.creating = self.cleared = self.deleted = False
        self.run = ""
        self.backup: str | None = None
        self.baseline: Baseline | None = None
        self.left_out: list[str] = []
        self.confirmed: list[RowRange] = []
        self.unknown: dict[int, Pending] = {}
        self.resent: list[RowRange] = []
        self.resent_at = 0.0
        self.stale: list[str] = []
        # Of the confirmed rows, those that no reply has counted.
        self.uncounted: list[RowRange] = []
        self.batches = self.retries = 0
        self.done: dict[str, Any] | None = None
        self._last = 0

    # what happens

    def note(self, event: str, **facts: Any) -> None:
        """Keep what happened, then let it count."""
        entry = {"event": event, "at": time.time(), **facts}
        self._keep(entry)
        self.apply(entry)

    def _keep(self, entry: dict[str, Any]) -> None:
        if self._note is not None:
            self._note(entry)

    def sending(self, batch: Batch) -> None:
        self.note("sending", batch=batch.number, ranges=batch.ranges, mark=batch.mark)

    def ended(self, outcome: Outcome) -> None:
        entry: dict[str, Any] = {"event": outcome.fate.value, "at": time.time(), "batch": outcome.batch.number}
        if outcome.fate is Fate.CONFIRMED:
            entry |= {"counted": outcome.counted, "retries": outcome.retries}
        try:
            self._keep(entry)
        finally:
            # It has happened, whether it can be kept or not.
            self.apply(entry)

    def doubted(self, outcome: Outcome) -> None:
        ranges = [list(pair) for pair in outcome.batch.ranges]
        self.note("doubted", batch=outcome.batch.number, ranges=ranges, mark=outcome.batch.mark)

    def apply(self, entry: Mapping[str, Any]) -> None:
        if entry["event"] not in _EVENTS:
            raise ValueError(f"no event is called {entry['event']!r}")
        getattr(self, f"_{entry['event']}")(entry)

    def _creating(self, entry: Mapping[str, Any]) -> None:
        self.creating = True

    def _refused(self, entry: Mapping[str, Any]) -> None:
        """The table was not made, and will not be."""
        self.creating = False

    def _table(self, entry: Mapping[str, Any]) -> None:
        self.table = TableRef(entry["rec_id"], entry["name"])
        self.made, self.creating = entry["made"], False
        self.left_out = [str(name) for name in entry.get("left_out", ())]
        if self.made:
            self.baseline = NOTHING_BEFORE

    def _saved(self, entry: Mapping[str, Any]) -> None:
        self.backup = entry["backup"]

    def _cleared(self, entry: Mapping[str, Any]) -> None:
        self.cleared, self.baseline = True, NOTHING_BEFORE

    def _baseline(self, entry: Mapping[str, Any]) -> None:
        self.baseline = Baseline.from_dict(entry["before"])

    def _sending(self, entry: Mapping[str, Any]) -> None:
        ranges = tuple((start, stop) for start, stop in entry["ranges"])
        self.unknown[entry["batch"]] = Pending(entry["batch"], ranges, entry["mark"], float("inf"))

    def _confirmed(self, entry: Mapping[str, Any]) -> None:
        pending = self.unknown.pop(entry["batch"])
        row_ranges.add(self.confirmed, pending.ranges)
        self.batches += 1
        self.retries += entry["retries"]
        if entry["counted"] is None:
            row_ranges.add(self.uncounted, pending.ranges)

    def _unknown(self, entry: Mapping[str, Any]) -> None:
        pending = self.unknown[entry["batch"]]
        self.batches += 1
        self.unknown[pending.number] = Pending(pending.number, pending.ranges, pending.mark, entry["at"])

    def _unsent(self, entry: Mapping[str, Any]) -> None:
        del self.unknown[entry["batch"]]

    def _found(self, entry: Mapping[str, Any]) -> None:
        """Rows of unknown fate were found in the table."""
        pending = self.unknown.pop(entry["batch"])
        found = [(start, stop) for start, stop in entry["ranges"]]
        rest = sorted(set(row_ranges.positions(pending.ranges)) - set(row_ranges.positions(found)))
        self.confirmed = row_ranges.merged([*self.confirmed, *found])
        if rest:
            ranges = tuple(row_ranges.of_positions(rest))
            self.unknown[pending.number] = Pending(pending.number, ranges, pending.mark, pending.since)

    def _absent(self, entry: Mapping[str, Any]) -> None:
        """They are taken for lost and sent again; what comes late under their mark is to go."""
        pending = self.unknown.pop(entry["batch"])
        self.resent = row_ranges.merged([*self.resent, *pending.ranges])
        self.resent_at = entry["at"]
        if pending.mark is not None:
            self.stale.append(pending.mark)

    def _astray(self, entry: Mapping[str, Any]) -> None:
        """Rows are in the table twice, or not any more, so that they have to be sent once more."""
        self._take_back(entry, mark=None)

    def _doubted(self, entry: Mapping[str, Any]) -> None:
        """The reply that confirmed a batch may belong to another one."""
        self._take_back(entry, mark=entry["mark"])

    def _take_back(self, entry: Mapping[str, Any], mark: str | None) -> None:
        """Let confirmed rows be unknown."""
        ranges = tuple((start, stop) for start, stop in entry["ranges"])
        gone = set(row_ranges.positions(ranges))
        self.confirmed = row_ranges.of_positions(set(row_ranges.positions(self.confirmed)) - gone)
        self.uncounted = row_ranges.of_positions(set(row_ranges.positions(self.uncounted)) - gone)
        self.unknown[entry["batch"]] = Pending(entry["batch"], ranges, mark, entry["at"])

    def _deleting(self, entry: Mapping[str, Any]) -> None:
        """Rows are there twice, and go: whether they are gone, and nothing else, is to be looked at once more."""
        twice = [(start, stop) for start, stop in entry["ranges"]]
        self.deleted = True
        self.resent = row_ranges.merged([*self.resent, *twice])
        self.resent_at = entry["at"]

    def _done(self, entry: Mapping[str, Any]) -> None:
        self.done = dict(entry)

    # what is known

    def header(self) -> dict[str, Any]:
        """Which write this is, for a journal's beginning."""
        return {"format": FORMAT, "id": self.id, **self.identity.as_dict()}

    def next_number(self) -> int:
        """A number that no batch of this write has had."""
        self._last += 1
        return self._last

    def mark(self, number: int) -> str | None:
        """What the rows of a batch carry in the stamp column."""
        return None if self.identity.stamp is None else f"{self.id}-{number}{self.run}"

    def known_mark(self, mark: str) -> bool:
        """Whether a mark of this write is one of which this record knows."""
        number = mark.removeprefix(f"{self.id}-").partition(".")[0]
        return number.isdecimal() and int(number) <= self._last

    def check_left_out(self, names: Sequence[str]) -> None:
        """Refuse to send the rest of the rows with other columns than the first of them.

        Raises
        ------
        ResumeError
            The table's columns have changed since.
        """
        if self.table is not None and set(names) != set(self.left_out):
            before, now = (", ".join(map(repr, each)) or "none" for each in (self.left_out, names))
            raise ResumeError(
                f"The columns of table {self.table.label} have changed since this write began: of the frame's columns"
                f" it lacked {before}, and now {now}. To go on, give the table the columns that it had; or look which"
                " rows are there, and append the others by themselves."
            )

    @property
    def counted(self) -> int:
        """How many of the confirmed rows were counted by a reply, or found in the table."""
        return row_ranges.count(self.confirmed) - row_ranges.count(self.uncounted)

    @property
    def unknown_ranges(self) -> list[RowRange]:
        return row_ranges.merged(pair for pending in self.unknown.values() for pair in pending.ranges)

    def unsent(self, rows: int) -> list[RowRange]:
        """Which of so many rows are neither confirmed nor of unknown fate."""
        return row_ranges.complement([*self.confirmed, *self.unknown_ranges], rows)

    def known(self, rows: int) -> Known:
        """What an error says of so many rows: which are confirmed, of unknown fate, or unsent."""
        # What was taken for lost may still come, and may be there under a mark that is to go.
        in_doubt = row_ranges.common(self.unsent(rows), self.resent)
        return Known(self.confirmed, row_ranges.merged([*self.unknown_ranges, *in_doubt]), rows)

    def token(self) -> dict[str, Any] | None:
        """All of this as plain JSON; None where it would be of no use, as for a stream that is used up."""
        rows = self.identity.rows
        if rows is None or not self.identity.resumable:
            return None
        since = [pending.since for pending in self.unknown.values()]
        return sealed({
            "format": FORMAT,
            **self.identity.as_dict(),
            "id": self.id,
            "rec_id": None if self.table is None else self.table.rec_id,
            "name": None if self.table is None else self.table.name,
            "made": self.made,
            "creating": self.creating,
            "left_out": list(self.left_out),
            "backup": self.backup,
            "cleared": self.cleared,
            "deleted": self.deleted,
            "baseline": None if self.baseline is None else self.baseline.as_dict(),
            "confirmed": [list(pair) for pair in self.confirmed],
            "unknown": [
                {"batch": each.number, "ranges": [list(pair) for pair in each.ranges], "mark": each.mark}
                for each in self.unknown.values()
            ],
            "unsent": [list(pair) for pair in self.unsent(rows)],
            "resent": [list(pair) for pair in self.resent],
            "resent_at": self.resent_at,
            "stale": list(self.stale),
            "last": self._last,
            "batches": self.batches,
            "retries": self.retries,
            "uncounted": [list(pair) for pair in self.uncounted],
            "failed_at": min(max(since, default=0.0), time.time()),
        })  # fmt: skip

    def go_on_from(self, token: Mapping[str, Any]) -> None:
        """Take the state that a token holds.

        Raises
        ------
        ResumeError
            It holds none.
        """
        try:
            self.id = str(token["id"])
            if token["rec_id"] is not None:
                self.table = TableRef(int(token["rec_id"]), token["name"])
            self.made, self.creating, self.cleared = token["made"], token["creating"], token["cleared"]
            self.backup, self.deleted = token["backup"], token["deleted"]
            self.left_out = [str(name) for name in token.get("left_out", ())]
            # Should a token be used twice, the marks are not the same.
            self.run = f".{uuid.uuid4().hex[:4]}"
            self.baseline = None if token["baseline"] is None else Baseline.from_dict(token["baseline"])
            self.confirmed = [(int(start), int(stop)) for start, stop in token["confirmed"]]
            self.resent = [(int(start), int(stop)) for start, stop in token["resent"]]
            self.unknown = {
                int(each["batch"]): Pending(
                    int(each["batch"]),
                    tuple((int(start), int(stop)) for start, stop in each["ranges"]),
                    each["mark"],
                    float(token["failed_at"]),
                )
                for each in token["unknown"]
            }
            # The clock of another machine may be ahead.
            self.resent_at = min(float(token["resent_at"]), time.time())
            self.stale = [str(mark) for mark in token["stale"]]
            self._last = int(token["last"])
            self.batches, self.retries = int(token["batches"]), int(token["retries"])
            self.uncounted = [(int(start), int(stop)) for start, stop in token["uncounted"]]
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            raise ResumeError(f"The resume token cannot be read: {exc!r}. Give error.resume as it was.") from exc

    def replay(self, header: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
        """Take the state that a journal's events come to.

        Raises
        ------
        ResumeError
            They do not go together.
        """
        try:
            self.id = str(header["id"])
            for entry in events:
                self.apply(entry)
                self._last = max(self._last, entry.get("batch", 0))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ResumeError(f"The journal's events do not go together: {exc!r}. Give another path.") from exc
        # What was on the wire when the process was killed may have been sent just then.
        now = time.time()
        self.unknown = {
            number: Pending(number, each.ranges, each.mark, min(each.since, now))
            for number, each in self.unknown.items()
        }


Event = Mapping[str, Any]


class Journal:
    """The file, for one write at a time; a context manager, which holds its lock.

    Parameters
    ----------
    path : path-like
        The file; it is made with the first event. A lock file of the same name and ``.lock`` stays beside it.

    Raises
    ------
    JournalInUseError
        Another process holds the lock.
    ResumeError
        The file cannot be read or is none of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock: FileLock | None = None
        self._file: int | None = None
        self._header: Event | None = None
        self._seal = ""
        self._broken = False

    def __enter__(self) -> Self:
        from filelock import FileLock, Timeout

        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ResumeError(f"journal= is the path of a file in a folder that is there, not {str(self.path)!r}.")
        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise JournalInUseError(
                f"Another write is using the journal {self.path} now. Wait for its end, or give this one a journal of"
                " its own."
            ) from None
        except OSError as exc:
            raise self._unusable("locked", exc) from exc
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self) -> list[dict[str, Any]]:
        """What is in the file: which write it is, and its events; nothing if there is no file yet."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise self._unusable("read", exc) from exc
        # A line without its end was being written when the process was killed, and nothing was done on its account.
        whole = content[: content.rfind(b"\n") + 1]
        events = None
        with contextlib.suppress(ValueError, RecursionError):
            events = [json.loads(line) for line in whole.splitlines()]
        # Raised here, where the parser's exception, which holds a line of the file, is no context of it.
        if events is None or not all(isinstance(event, dict) for event in events) or (content and not events):
            raise ResumeError(f"The file {self.path} is no journal of a write. Give another path.")
        for event in events:
            kept = event.pop("seal", None)
            self._seal = seal(event, self._seal)
            if kept != self._seal:
                raise ResumeError(f"The journal {self.path} is not as it was written. Give another path.")
        if events:
            self._open()
            assert self._file is not None
            os.ftruncate(self._file, len(whole))
        return events

    def describe(self, header: Event) -> None:
        """Say which write this is; it stands at the file's beginning."""
        self._header = header

    def write(self, event: Event) -> None:
        """Add an event, and return when it is on the disk.

        Raises
        ------
        ResumeError
            The file cannot be written.
        """
        try:
            # Behind a part of a line, the next one could not be read either.
            if self._broken:
                raise OSError("it could not be written before")  # noqa: TRY301
            self._broken = True
            if self._file is None:
                assert self._header is not None
                self._begin(self._line(self._header) + self._line(event))
                self._open()
                self._broken = False
                return
            line = self._line(event)
            # A write that comes to its end only in part leaves a line without an end.
            if os.write(self._file, line) != len(line):
                raise OSError("the disk took only a part of a line")  # noqa: TRY301
            os.fsync(self._file)
            self._broken = False
        except OSError as exc:
            raise self._unusable("written", exc) from exc

    def _begin(self, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)

    def _open(self) -> None:
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as exc:
            raise self._unusable("written", exc) from exc

    def _unusable(self, verb: str, why: Exception) -> ResumeError:
        return ResumeError(f"The journal {self.path} cannot be {verb}: {why}. Give another path, or mend this one.")

    def _line(self, event: Event) -> bytes:
        """The event as it stands in the file, with a seal on it and on all before it."""
        self._seal = seal(event, self._seal)
        return json.dumps({**event, "seal": self._seal}, separators=(",", ":")).encode() + b"\n"


def sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
