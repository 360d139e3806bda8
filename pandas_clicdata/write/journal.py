"""The write-ahead log of a write: the events, the state they lead to, the resume token, and the journal file.

While rows are sent, the state of a write changes only by events, so replaying the events of a journal file restores it.
A journal file has one JSON text per line. The line of a batch is on disk before its request is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pandas_clicdata._durable import AtomicFile, lock_of, open_regular, sync
from pandas_clicdata._models import TableRef
from pandas_clicdata.errors import JournalInUseError, ResumeError, RowRange
from pandas_clicdata.write import row_ranges
from pandas_clicdata.write.executor import Batch, BatchResult, Outcome
from pandas_clicdata.write.fingerprint import Checksums
from pandas_clicdata.write.results import RowStates

if TYPE_CHECKING:
    from filelock import FileLock


def checksum(facts: Mapping[str, Any], before: str = "") -> str:
    """Return the checksum of JSON facts and of the checksum of the lines before them.

    Examples
    --------
    >>> checksum({"a": 1, "b": [2]}) == checksum({"b": [2], "a": 1})
    True
    >>> checksum({"a": 1}, before=checksum({})) == checksum({"a": 1})
    False
    """
    return _checksum_of(_json(facts), before)


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _checksum_of(text: str, before: str) -> str:
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()[:32]


def with_checksum(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts with their checksum."""
    return {**facts, "seal": checksum(facts)}


def checked_token(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a resume token.

    Raises
    ------
    ResumeError
        Its checksum does not match.
    """
    reason = None
    try:
        facts: dict[str, Any] = json.loads(json.dumps(dict(token)))
        kept = facts.pop("seal", None)
        if kept == checksum(facts):
            return facts
    except (TypeError, ValueError, RecursionError) as exc:
        reason = exc
    raise ResumeError(
        "The resume token was changed, or comes from another version of pandas_clicdata. Pass it unchanged:"
        " resume=error.resume"
    ) from reason


_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
FORMAT = "pandas_clicdata write 3"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What identifies a write. A token or journal of a write with another identity is refused.

    Attributes
    ----------
    operation : str
        The public function, such as ``"push"``.
    table : int or str
        RecId or name, as the user passed it.
    if_exists : str
        For a push: what it does if the table exists.
    account : str
        The account, as in ``Client.account_label``; not a secret.
    rows : int or None
        Number of rows in the frame; None for a stream.
    columns : sequence of (str, str)
        The frame's columns and their ClicData types.
    frame : callable
        Returns the hash of the frame's content, which takes a pass over all rows.
    stamp : str or None
        The stamp column.
    on : sequence of str or None
        The key columns.
    resumable : bool
        Whether a token is useful; False if repeating the call does the same.
    subject : str
        The name of the rows in a line of code: ``"df"`` for a DataFrame.
    call : dict
        The options of the call that differ from their defaults, as plain JSON, for the line that continues the write.
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
    subject: str = "df"
    call: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Identity:
        """Load what :meth:`facts` returned. The hash of the frame is not available.

        Raises
        ------
        ResumeError
            A fact is missing.
        """
        names = ("operation", "table", "if_exists", "account", "rows", "columns", "stamp", "on", "subject", "call")
        if header.get("format") != FORMAT or not set(names) <= header.keys():
            raise ResumeError("The first line of the journal does not identify a write.")
        return cls(**{name: header[name] for name in names}, frame=str)

    def facts(self) -> dict[str, Any]:
        """Return everything but the hash of the frame, as plain JSON."""
        return {
            "operation": self.operation,
            "table": self.table,
            "if_exists": self.if_exists,
            "account": self.account,
            "rows": self.rows,
            "columns": [list(column) for column in self.columns],
            "stamp": self.stamp,
            "on": None if self.on is None else list(self.on),
            "subject": self.subject,
            "call": dict(self.call),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**self.facts(), "frame": self.frame()}

    def check(self, kept: Mapping[str, Any], where: str) -> None:
        """Refuse a token or journal of another write.

        Raises
        ------
        ResumeError
            The message states the difference.
        """
        if kept.get("format") != FORMAT:
            raise ResumeError(
                f"{where} has the format {kept.get('format')!r}, and this version of pandas_clicdata reads {FORMAT!r}."
                " Resume with the version that made it; or check which rows are in the table, and append the others."
            )
        ours = self.as_dict()
        if ours["table"] in (kept.get("rec_id"), kept.get("name")):
            kept = {**kept, "table": ours["table"]}
        words = {
            "operation": "the operation", "table": "the table", "if_exists": "if_exists=",
            "columns": "the list of columns and types", "rows": "the number of rows",
            "frame": "the content of the frame", "stamp": "stamp=", "on": "on=",
        }  # fmt: skip
        if kept.get("account") != self.account:
            raise ResumeError(
                f"{where} belongs to a write to another account: {kept.get('account')!r}. This session is on"
                f" {self.account!r}. Pass a session on that account as session=; or start a new write: leave resume="
                " out, or pass another path as journal=."
            )
        for key, word in words.items():
            if kept.get(key) != ours[key]:
                shown = "" if key in ("frame", "columns") else f" ({kept.get(key)!r} there, {ours[key]!r} in this call)"
                raise ResumeError(f"{where} belongs to another write: {word} differs{shown}.")


@dataclass(frozen=True)
class Baseline:
    """What the table contained before an append, as far as it was read.

    Attributes
    ----------
    rows : int or None
        The number of rows.
    sums : Checksums or None
        The checksums to compare with after the write.
    equal : dict of int to int, or None
        How often a row equal to one of the frame's was in the table, by the hash of the row.
    """

    rows: int | None = None
    sums: Checksums | None = None
    equal: Mapping[int, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "rows": self.rows,
            "sums": None
            if self.sums is None
            else [self.sums.rows, {name: list(pair) for name, pair in self.sums.columns.items()}, self.sums.whole],
            "equal": None if self.equal is None else [list(pair) for pair in self.equal.items()],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Baseline:
        """Load what :meth:`as_dict` returned."""
        sums = kept["sums"]
        return cls(
            kept["rows"],
            None
            if sums is None
            else Checksums(sums[0], {name: (pair[0], pair[1]) for name, pair in sums[1].items()}, sums[2]),
            None if kept["equal"] is None else {pair[0]: pair[1] for pair in kept["equal"]},
        )


EMPTY_TABLE = Baseline(0, Checksums(), {})


@dataclass(frozen=True)
class UnknownBatch:
    """A batch whose outcome is unknown, ``since`` a time in seconds since the epoch."""

    number: int
    ranges: tuple[RowRange, ...]
    stamp: str | None
    since: float


@dataclass(frozen=True)
class SentBatch:
    """A batch that was sent: its rows, its stamp, and the digest of its body."""

    ranges: tuple[RowRange, ...]
    stamp: str | None
    digest: str


def _ranges_in(entry: Mapping[str, Any]) -> tuple[RowRange, ...]:
    return tuple((start, stop) for start, stop in entry["ranges"])


class Journal:
    """The events of one write, and the state that they lead to.

    Parameters
    ----------
    identity : Identity
        Identifies the write.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._persist: Callable[[dict[str, Any]], None] | None = None
        self._flush: Callable[[], None] | None = None
        self.id: str = uuid.uuid4().hex[:16]
        self.table: TableRef | None = None
        self.made: bool = False
        self.creating: bool = False
        self.cleared: bool = False
        self.deleted: bool = False
        self.run: str = ""
        self.backup: str | None = None
        self.baseline: Baseline | None = None
        self.left_out: list[str] = []
        self.confirmed: list[RowRange] = []
        self.unknown: dict[int, UnknownBatch] = {}
        self.sent: dict[int, SentBatch] = {}
        self.notes: list[str] = []
        self.resent: list[RowRange] = []
        self.resent_at: float = 0.0
        self.stale: list[str] = []
        # Confirmed rows that no reply has counted.
        self.uncounted: list[RowRange] = []
        self.batches: int = 0
        self.retries: int = 0
        self.started_at: float = time.time()
        self.last_at: float = self.started_at
        self.done: dict[str, Any] | None = None
        self._last = 0

    def persist_with(
        self, persist: Callable[[dict[str, Any]], None] | None, flush: Callable[[], None] | None = None
    ) -> None:
        """Set the functions that write an event, and all events to disk; None to keep them only in memory."""
        self._persist, self._flush = persist, flush

    # events

    def record(self, event: str, **facts: Any) -> None:
        """Write an event to disk, then apply it to the state."""
        entry = {"event": event, "at": time.time(), **facts}
        if self._persist is not None:
            self._persist(entry)
        self.flush()
        self.apply(entry)

    def flush(self) -> None:
        """Return when every event is on disk."""
        if self._flush is not None:
            self._flush()

    def sending(self, batch: Batch) -> None:
        """Record a batch before it is sent; its event is on disk after the next :meth:`flush`."""
        entry = {"event": "sending", "at": time.time(), "batch": batch.number, "ranges": batch.ranges}
        entry |= {"mark": batch.stamp, "digest": batch.digest}
        if self._persist is not None:
            self._persist(entry)
        self.apply(entry)

    def ended(self, result: BatchResult) -> None:
        """Record the outcome of a batch; its event is on disk after the next :meth:`flush`."""
        entry: dict[str, Any] = {"event": result.outcome.value, "at": time.time(), "batch": result.batch.number}
        if result.outcome is Outcome.CONFIRMED:
            entry |= {"counted": result.counted, "retries": result.retries}
        try:
            if self._persist is not None:
                self._persist(entry)
        finally:
            # The outcome is a fact, whether it can be written to disk or not.
            self.apply(entry)

    def doubted(self, result: BatchResult) -> None:
        """Record that the confirmation of a batch is in doubt."""
        ranges = [list(pair) for pair in result.batch.ranges]
        self.record("doubted", batch=result.batch.number, ranges=ranges, mark=result.batch.stamp)

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Change the state by an event.

        Raises
        ------
        ValueError
            The event is unknown.
        """
        self.last_at = float(entry["at"])
        match entry["event"]:
            case "creating":
                self.creating = True
            case "refused":
                # The service refused to create the table.
                self.creating = False
            case "table":
                self.table = TableRef(entry["rec_id"], entry["name"])
                self.made, self.creating = entry["made"], False
                self.left_out = [str(name) for name in entry.get("left_out", ())]
                if self.made:
                    self.baseline = EMPTY_TABLE
            case "saved":
                self.backup = entry["backup"]
            case "cleared":
                self.cleared, self.baseline = True, EMPTY_TABLE
            case "baseline":
                self.baseline = Baseline.from_dict(entry["before"])
            case "sending":
                batch = UnknownBatch(entry["batch"], _ranges_in(entry), entry["mark"], float("inf"))
                self.unknown[batch.number] = batch
                self.sent[batch.number] = SentBatch(batch.ranges, batch.stamp, entry["digest"])
            case "confirmed":
                batch = self.unknown.pop(entry["batch"])
                row_ranges.add(self.confirmed, batch.ranges)
                self.batches += 1
                self.retries += entry["retries"]
                if entry["counted"] is None:
                    row_ranges.add(self.uncounted, batch.ranges)
            case "unknown":
                self.batches += 1
                self.unknown[entry["batch"]] = replace(self.unknown[entry["batch"]], since=entry["at"])
            case "unsent":
                del self.unknown[entry["batch"]]
                del self.sent[entry["batch"]]
            case "found":
                # Unknown rows were found in the table.
                batch, found = self.unknown.pop(entry["batch"]), _ranges_in(entry)
                rest = sorted(set(row_ranges.positions(batch.ranges)) - set(row_ranges.positions(found)))
                self.confirmed = row_ranges.merged([*self.confirmed, *found])
                if rest:
                    self.unknown[batch.number] = replace(batch, ranges=tuple(row_ranges.of_positions(rest)))
            case "absent":
                # Unknown rows count as lost and are sent again; rows with the old stamp that arrive late are deleted.
                batch = self.unknown.pop(entry["batch"])
                self.resent = row_ranges.merged([*self.resent, *batch.ranges])
                self.resent_at = entry["at"]
                if batch.stamp is not None:
                    self.stale.append(batch.stamp)
            case "astray" | "doubted":
                # Confirmed rows are unknown again. Astray: they are in the table twice, or are missing, so they are
                # sent once more. Doubted: the reply that confirmed the batch may belong to another batch.
                ranges = _ranges_in(entry)
                taken = set(row_ranges.positions(ranges))
                self.confirmed = row_ranges.of_positions(set(row_ranges.positions(self.confirmed)) - taken)
                self.uncounted = row_ranges.of_positions(set(row_ranges.positions(self.uncounted)) - taken)
                self.unknown[entry["batch"]] = UnknownBatch(entry["batch"], ranges, entry.get("mark"), entry["at"])
            case "deleting":
                # Duplicate rows are being deleted; at the end, check again that the duplicates are deleted.
                self.deleted = True
                self.resent = row_ranges.merged([*self.resent, *_ranges_in(entry)])
                self.resent_at = entry["at"]
            case "done":
                self.done = dict(entry)
            case unknown:
                raise ValueError(f"unknown event {unknown!r}")

    # state

    def header(self, *, with_frame: bool = True) -> dict[str, Any]:
        """Return the first line of a journal file, which identifies the write."""
        return {
            "format": FORMAT,
            "id": self.id,
            **(self.identity.as_dict() if with_frame else self.identity.facts()),
        }

    def next_number(self) -> int:
        """Return a batch number that this write has not used yet."""
        self._last += 1
        return self._last

    def stamp(self, number: int) -> str | None:
        """Return the value of the stamp column in the rows of a batch; None without a stamp column."""
        return None if self.identity.stamp is None else f"{self.id}-{number}{self.run}"

    def knows_stamp(self, stamp: str) -> bool:
        """Return whether a stamp of this write belongs to a batch in this journal."""
        number = stamp.removeprefix(f"{self.id}-").partition(".")[0]
        return number.isdecimal() and int(number) <= self._last

    def check_left_out(self, names: Sequence[str]) -> None:
        """Refuse to send the remaining rows with other columns than the first ones.

        Raises
        ------
        ResumeError
            The table's columns have changed since the write began.
        """
        if self.table is not None and set(names) != set(self.left_out):
            before, now = (", ".join(map(repr, each)) or "none" for each in (self.left_out, names))
            raise ResumeError(
                f"The columns of table {self.table.label} have changed since this write began. Of the frame's columns"
                f" it then lacked: {before}; now it lacks: {now}. Restore the table's columns and resume; or check"
                " which rows are in the table, and append the others."
            )

    @property
    def counted(self) -> int:
        """The number of confirmed rows that a reply counted or that were found in the table."""
        return row_ranges.count(self.confirmed) - row_ranges.count(self.uncounted)

    @property
    def unknown_ranges(self) -> list[RowRange]:
        """The rows whose outcome is unknown."""
        return row_ranges.merged(pair for pending in self.unknown.values() for pair in pending.ranges)

    def unsent(self, rows: int) -> list[RowRange]:
        """Return which of the first ``rows`` rows are neither confirmed nor unknown."""
        return row_ranges.complement([*self.confirmed, *self.unknown_ranges], rows)

    def states(self, rows: int) -> RowStates:
        """Return the state of each of the first ``rows`` rows, for an error."""
        # Rows that count as lost may still arrive.
        in_doubt = row_ranges.common(self.unsent(rows), self.resent)
        return RowStates(self.confirmed, row_ranges.merged([*self.unknown_ranges, *in_doubt]), rows)

    def token(self) -> dict[str, Any] | None:
        """Return the state as plain JSON; None if the write cannot be resumed, such as one of a stream."""
        rows = self.identity.rows
        if rows is None or not self.identity.resumable:
            return None
        return with_checksum({**self.header(), **self._state(), "unsent": [list(pair) for pair in self.unsent(rows)]})

    def _state(self) -> dict[str, Any]:
        """Return the state as plain JSON."""
        since = [pending.since for pending in self.unknown.values()]
        return {
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
                {"batch": each.number, "ranges": [list(pair) for pair in each.ranges], "mark": each.stamp}
                for each in self.unknown.values()
            ],
            "resent": [list(pair) for pair in self.resent],
            "resent_at": self.resent_at,
            "stale": list(self.stale),
            "last": self._last,
            "batches": self.batches,
            "retries": self.retries,
            "uncounted": [list(pair) for pair in self.uncounted],
            "failed_at": min(max(since, default=0.0), time.time()),
        }

    def record_text(self) -> bytes:
        """Return the record of a finished write."""
        sent = [[[list(pair) for pair in each.ranges], each.stamp, each.digest] for each in self.sent.values()]
        facts = {**self.header(with_frame=False), **self._state(), "sent": sent, "done": self.done}
        return json.dumps(with_checksum(facts), separators=(",", ":")).encode()

    @classmethod
    def from_record(cls, text: bytes) -> Journal:
        """Load what :meth:`record_text` returned.

        Raises
        ------
        ResumeError
            It was changed or damaged.
        """
        facts = None
        with contextlib.suppress(ValueError, RecursionError):
            facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ResumeError("The record of a finished write is damaged.")
        facts = checked_token(facts)
        journal = cls(Identity.from_header(facts))
        journal.load_token(facts)
        journal.sent = {
            at: SentBatch(tuple((start, stop) for start, stop in ranges), stamp, digest)
            for at, (ranges, stamp, digest) in enumerate(facts["sent"])
        }
        journal.done = facts["done"]
        journal.last_at = float(facts["done"]["at"])
        return journal

    def load_token(self, token: Mapping[str, Any]) -> None:
        """Restore the state from a token.

        Raises
        ------
        ResumeError
            The token is incomplete.
        """
        try:
            self.id = str(token["id"])
            if token["rec_id"] is not None:
                self.table = TableRef(int(token["rec_id"]), token["name"])
            self.made, self.creating, self.cleared = token["made"], token["creating"], token["cleared"]
            self.backup, self.deleted = token["backup"], token["deleted"]
            self.left_out = [str(name) for name in token.get("left_out", ())]
            # If the token is used twice, the stamps differ.
            self.run = f".{uuid.uuid4().hex[:4]}"
            self.baseline = None if token["baseline"] is None else Baseline.from_dict(token["baseline"])
            self.confirmed = [(int(start), int(stop)) for start, stop in token["confirmed"]]
            self.resent = [(int(start), int(stop)) for start, stop in token["resent"]]
            self.unknown = {
                int(each["batch"]): UnknownBatch(
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
            raise ResumeError(
                f"The resume token cannot be read: {exc!r}. Pass it unchanged: resume=error.resume"
            ) from exc

    def replay(self, header: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
        """Restore the state from the events of a journal file.

        Raises
        ------
        ResumeError
            The events contradict each other.
        """
        try:
            self.id = str(header["id"])
            for entry in events:
                self.apply(entry)
                self._last = max(self._last, entry.get("batch", 0))
            self.started_at = float(events[0]["at"]) if events else self.started_at
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ResumeError(
                f"The events in the journal contradict each other: {exc!r}. Pass another path as journal=."
            ) from exc
        # A batch that was in flight when the process was killed may have been sent just before.
        now = time.time()
        self.unknown = {
            number: UnknownBatch(number, each.ranges, each.stamp, min(each.since, now))
            for number, each in self.unknown.items()
        }


Event = Mapping[str, Any]


class JournalFile:
    """The file of a journal, for one write at a time; a context manager that holds its lock.

    Parameters
    ----------
    path : path-like
        The file, which is created with the first event. A lock file of the same name with ``.lock`` remains beside it.
    synced : bool, default True
        Whether :meth:`flush` waits for the disk. If not, a line survives the end of the process, but perhaps not a
        power failure.

    Raises
    ------
    JournalInUseError
        Another process holds the lock.
    ResumeError
        The file cannot be read, or is not a journal.
    """

    def __init__(self, path: str | os.PathLike[str], *, synced: bool = True) -> None:
        # A link to a journal is the same journal.
        self.path: Path = Path(os.path.realpath(path))
        self._synced = synced
        self._lock: FileLock | None = None
        self._file: int | None = None
        self._header: Event | None = None
        self._checksum = ""
        self._incomplete = False
        self._failure: Exception | None = None
        self._sync_lock = threading.Lock()
        self._lines = self._synced_lines = 0

    def __enter__(self) -> Self:
        from filelock import Timeout

        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ResumeError(f"journal= must be the path of a file in an existing folder, not {str(self.path)!r}.")
        lock = lock_of(self.path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise JournalInUseError(
                f"Another write is using the journal {self.path}. Wait until it ends, or pass another path as journal=."
            ) from None
        except (OSError, NotImplementedError) as exc:
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
        """Return the header and the events in the file; an empty list if there is no file yet."""
        events, length = self._parse()
        if events:
            self._open()
            assert self._file is not None
            os.ftruncate(self._file, length)
        return events

    def peek(self) -> list[dict[str, Any]]:
        """Return the header and the events of a journal that another write is using, without its lock."""
        return self._parse()[0]

    def _parse(self) -> tuple[list[dict[str, Any]], int]:
        """Return the header and the events, and the length of their lines in bytes."""
        try:
            with open_regular(self.path) as file:
                content = file.read()
        except FileNotFoundError:
            return [], 0
        except OSError as exc:
            raise self._unusable("read", exc) from exc
        # Drop an incomplete last line: the process was killed before it acted on it.
        whole = content[: content.rfind(b"\n") + 1]
        events = None
        with contextlib.suppress(ValueError, RecursionError):
            events = [json.loads(line) for line in whole.splitlines()]
        # Raised here, so that the parser's exception, which holds a line of the file, is not its context.
        if events is None or not all(isinstance(event, dict) for event in events) or (content and not events):
            raise ResumeError(f"The file {self.path} is not the journal of a write. Pass another path as journal=.")
        for event in events:
            kept = event.pop("seal", None)
            self._checksum = checksum(event, self._checksum)
            if kept != self._checksum:
                raise ResumeError(f"The journal {self.path} was changed or damaged. Pass another path as journal=.")
        return events, len(whole)

    @property
    def created(self) -> bool:
        """Whether the file exists."""
        return self._file is not None

    def describe(self, header: Event) -> None:
        """Set the first line of a new file."""
        self._header = header

    def write(self, event: Event) -> None:
        """Append an event, which is on disk after the next :meth:`flush`.

        Raises
        ------
        ResumeError
            The file cannot be written.
        """
        try:
            # A line after an incomplete one could not be read. The first failure is the reason in every thread.
            if self._incomplete or self._failure is not None:
                raise self._failure or OSError("an earlier line could not be written")
            self._incomplete = True
            if self._file is None:
                assert self._header is not None
                lines = self._line(self._header) + self._line(event)
                if self._synced:
                    with AtomicFile(self.path) as file:
                        with file.open() as stream:
                            stream.write(lines)
                        file.publish(overwrite=True)
                    self._open()
                    self._synced_lines = 1
                else:
                    self._file = os.open(self.path, _APPEND | os.O_CREAT | os.O_EXCL, 0o600)
                    if os.write(self._file, lines) != len(lines):
                        raise OSError("only a part of the line was written")  # noqa: TRY301
            else:
                line = self._line(event)
                if os.write(self._file, line) != len(line):
                    raise OSError("only a part of the line was written")  # noqa: TRY301
            self._lines += 1
            self._incomplete = False
        except OSError as exc:
            self._failure = exc
            raise self._unusable("written", exc) from exc

    def flush(self) -> None:
        """Return when all lines are on disk. Threads that wait for it at the same time share one sync.

        Raises
        ------
        ResumeError
            The file cannot be synced.
        """
        if not self._synced:
            return
        lines = self._lines
        with self._sync_lock:
            if self._synced_lines >= lines:
                return
            lines = self._lines
            try:
                # A second sync may succeed although the lines are lost.
                if self._failure is not None:
                    raise self._failure
                if self._file is None:
                    raise OSError("it is closed")  # noqa: TRY301
                sync(self._file)
            except OSError as exc:
                self._failure = exc
                raise self._unusable("written", exc) from exc
            self._synced_lines = lines

    def _open(self) -> None:
        try:
            self._file = os.open(self.path, _APPEND)
        except OSError as exc:
            raise self._unusable("written", exc) from exc

    def _unusable(self, verb: str, why: Exception) -> ResumeError:
        return ResumeError(f"The journal {self.path} cannot be {verb}: {why}. Pass another path as journal=.")

    def _line(self, event: Event) -> bytes:
        """Return the line of an event, with a checksum of this and all earlier lines."""
        text = _json(event)
        self._checksum = _checksum_of(text, self._checksum)
        return f'{text[:-1]},"seal":"{self._checksum}"}}\n'.encode()


@contextlib.contextmanager
def open_journal(
    identity: Identity, resume: Mapping[str, Any] | None, path: str | os.PathLike[str] | None
) -> Iterator[Journal]:
    """Open the journal of a write: from a resume token, from a journal file, or empty.

    Raises
    ------
    ResumeError
        The token or the file belongs to another write, or cannot be read.
    JournalInUseError
        Another process uses the file.
    """
    if resume is not None:
        token = checked_token(resume)
        identity.check(token, "The resume token")
        journal = Journal(identity)
        journal.load_token(token)
        yield journal
    elif path is not None:
        with JournalFile(path) as file:
            journal = Journal(identity)
            journal.persist_with(file.write, file.flush)
            events = file.read()
            if events:
                identity.check(events[0], f"The journal {file.path}")
                journal.replay(events[0], events[1:])
            file.describe(journal.header())
            yield journal
    else:
        yield Journal(identity)
