"""Updates and deletes by condition, where it is not documented what a condition matches or where new values stand.

Rows whose keys are similar to those of a condition are refused before the first change, unless the service is known to
tell them apart. The key of the new values in the body of an update is learned from one row that really changes.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, get_args

import numpy as np

from pandas_clicdata import read
from pandas_clicdata._models import ColumnType, MultipleRows, PlannedColumn, RequestOutcome
from pandas_clicdata._progress import current_bar
from pandas_clicdata.client.operations import UpdateKey
from pandas_clicdata.client.service_profile import ServiceProfile
from pandas_clicdata.errors import (
    ApiError,
    AuthenticationError,
    FrameError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    SimilarKeysError,
    VerificationError,
)
from pandas_clicdata.write import fingerprint, row_ranges
from pandas_clicdata.write.context import WriteContext
from pandas_clicdata.write.executor import Batch, Outcome, SendResult, send_all
from pandas_clicdata.write.fingerprint import Hashes
from pandas_clicdata.write.payload import Payload
from pandas_clicdata.write.results import RowStates, failed_after_sending, raise_from

_DOUBLE_DIGITS = 15
_SECONDS = len("YYYY-MM-DD HH:MM:SS")
_MAX_SHOWN = 5
_UNRELATED = (AuthenticationError, PermissionDeniedError, NotFoundError, RateLimitError)
"""Refusals that have nothing to do with the body of a request."""
_LIKELY = "likely_update_key"
"""The fact that states with which key the next trial begins."""


# similar keys


def _folded(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower().strip()
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.casefold()).casefold())
    return "".join(filter(_has_weight, letters)).strip()


def _has_weight(letter: str) -> bool:
    """Return whether all databases compare the character; many leave out accents, emoji and what is invisible."""
    return letter <= "\uffff" and not unicodedata.combining(letter) and unicodedata.category(letter) not in ("Cc", "Cf")


def _as_double(text: str) -> str:
    try:
        return repr(float(text))
    except (ValueError, OverflowError):
        return text


def _to_the_second(text: str) -> str:
    return text[:_SECONDS]


_SIMILAR: Mapping[ColumnType, tuple[str, Callable[[str], str], str]] = {
    ColumnType.TEXT: ("find_text", _folded, "except for case, accents, spaces or emoji"),
    ColumnType.DROPDOWN: ("find_text", _folded, "except for case, accents, spaces or emoji"),
    ColumnType.NUMBER: ("find_numbers", _as_double, "as a floating-point number"),
    ColumnType.PERCENTAGE: ("find_numbers", _as_double, "as a floating-point number"),
    ColumnType.DATETIME: ("find_datetimes", _to_the_second, "except for fractions of a second"),
}
"""By column type: the fact that says how conditions compare, a text that is equal for similar values, and in which
way they are equal."""


class SimilarKeys:
    """Finds rows of the table that a condition may match although their keys differ from it.

    Parameters
    ----------
    payload : Payload
        The rows of the frame.
    profile : ServiceProfile
        What is known about the comparison.
    keys : sequence of str, optional
        The columns of the conditions. Default: all.
    """

    def __init__(self, payload: Payload, profile: ServiceProfile, keys: Sequence[str] | None = None) -> None:
        self._payload = payload
        self._profile = profile
        exact = payload.hashes(keys)
        self._exact: list[int] = exact.tolist()
        self._planned = [column for column in payload.planned if keys is None or column.name in keys]
        ready = payload.table([column.name for column in self._planned])
        blocks = [fingerprint.texts_of_batch(block, self._planned) for block in fingerprint.blocks(ready)]
        self._texts: list[list[str | None]] = [
            [text for block in blocks for text in block[at]] for at in range(len(self._planned))
        ]
        self._doubtful = [
            column.data_type in _SIMILAR
            and not profile.compares_exactly(_SIMILAR[column.data_type][0])
            and (_SIMILAR[column.data_type][1] is not _as_double or any(map(_is_long, texts)))
            for column, texts in zip(self._planned, self._texts, strict=True)
        ]
        similar = self._hashes(self._texts) if self.possible else exact
        self._similar: list[int] = similar.tolist()
        self._wanted, first, places = np.unique(similar, return_index=True, return_inverse=True)
        self._only = exact[first]
        """The key of each similar key, if the frame has no other one."""
        self._is_only = np.ones(len(first), dtype=bool)
        self._is_only[places[exact != self._only[places]]] = False
        self._found: dict[int, dict[int, list[str | None]]] = {}

    @property
    def possible(self) -> bool:
        """Whether the table can have such rows; otherwise it need not be read."""
        return any(self._doubtful)

    def _hashes(self, texts: Sequence[Sequence[str | None]]) -> Hashes:
        similar = [
            [None if text is None else _SIMILAR[column.data_type][1](text) for text in values] if doubtful else values
            for column, values, doubtful in zip(self._planned, texts, self._doubtful, strict=True)
        ]
        return fingerprint.row_hashes(similar)

    def add(self, page: Sequence[Mapping[str, Any]]) -> None:
        """Take note of the rows of a page whose keys are similar to those of the frame."""
        if not self.possible or not len(self._wanted):
            return
        texts = fingerprint.texts_of_page(page, self._planned)
        similar = self._hashes(texts)
        places = np.minimum(np.searchsorted(self._wanted, similar), len(self._wanted) - 1)
        at = np.flatnonzero(self._wanted[places] == similar)
        exact = fingerprint.row_hashes([[column[row] for row in at] for column in texts])
        # Most rows have the very key of the frame.
        noted = ~self._is_only[places[at]] | (exact != self._only[places[at]])
        for row, own in zip(at[noted].tolist(), exact[noted].tolist(), strict=True):
            self._found.setdefault(int(similar[row]), {}).setdefault(own, [column[row] for column in texts])

    def forget(self) -> None:
        """Forget the pages, because the table is read again."""
        self._found.clear()

    def refuse(self, rows: Iterable[int], does: str, *, each_alone: bool) -> None:
        """Refuse to change anything if a condition of these rows of the frame may match a row with another key.

        Parameters
        ----------
        rows : iterable of int
            The rows whose conditions are to be sent.
        does : str
            What a request does with the rows that match, such as "delete".
        each_alone : bool
            Whether a row of the table may only be matched by its own key. Otherwise, any key of these rows will do.

        Raises
        ------
        SimilarKeysError
            The message names the first of these rows, and the row of the table.
        """
        rows = list(rows) if self._found else []
        sent = {self._exact[row] for row in rows}
        conflicts = [
            (row, texts)
            for row in rows
            for own, texts in self._found.get(self._similar[row], {}).items()
            if own != self._exact[row] and (each_alone or own not in sent)
        ]
        if not conflicts:
            return
        row, texts = conflicts[0]
        at = next(at for at, text in enumerate(texts) if text != self._texts[at][row])
        column, (fact, _, way) = self._planned[at], _SIMILAR[self._planned[at].data_type]
        label = self._payload.source.label
        known = self._profile.found(fact) is not None
        count = len({row for row, _ in conflicts})
        more = f" The same is true of {count - 1:,} more rows of the frame." if count > 1 else ""
        apart = "ClicData does not tell" if known else "It is not known whether ClicData tells"
        remedy = (
            ", or correct the values in ClicData."
            if known
            else ". To find out what ClicData does:\n    cd.doctor(write=True)"
        )
        raise SimilarKeysError(
            f"Column {column.name!r}, row {label.text(row)}: {self._texts[at][row]!r} equals {texts[at]!r}, which is in"
            f" the table, {way}. {apart} such values apart, so this {'would' if known else 'could'} {does} both.{more}"
            f" Nothing was changed. Use on= with another column{remedy}",
            column=column.name,
            row=label(row),
            value=self._texts[at][row],
        )


def _is_long(text: str | None) -> bool:
    return text is not None and sum(each.isdigit() for each in text.strip("-0.")) > _DOUBLE_DIGITS


# updates


@dataclass(frozen=True)
class Update(Batch):
    """The update of one row: the body is the condition, and ``values`` are the new values."""

    values: bytes = field(default=b"", repr=False)

    def without_data(self) -> Batch:
        """Return the batch without its data, to free the memory."""
        return replace(self, body=b"", values=b"")


def send_updates(
    context: WriteContext,
    updates: Iterable[Update],
    count: int,
    *,
    multiple_rows: MultipleRows = "all",
    key: UpdateKey | None = None,
) -> SendResult:
    """Send updates, and return the outcome of each. Without ``key``, the key of the new values must be known."""
    known = key or context.client.service_profile.update_key
    assert known is not None

    def send(batch: Batch) -> RequestOutcome:
        assert isinstance(batch, Update)
        # After a lost reply, the client repeats an update of all matching rows: the same values twice are harmless.
        return context.client.update(context.table.rec_id, batch.body, batch.values, multiple_rows, known)

    bar = current_bar()
    bar.begin(f"update {context.table.title}", count)
    return send_all(updates, send, workers=context.options.max_in_flight, bar=bar)


@dataclass(frozen=True)
class _Match:
    """A row that an update matches: its texts by column, its hash, and its hash with the new values."""

    texts: Mapping[str, str]
    own: int
    changed: int


@dataclass(frozen=True)
class _Snapshot:
    """All rows of a table as one sum of hashes, and those that an update matches."""

    total: int
    matches: Sequence[_Match]

    @property
    def rest(self) -> int:
        """The sum of the other rows."""
        return (self.total - sum(match.own for match in self.matches)) % 2**64


class UpdateTrial:
    """The first update of an account: it finds out under which key the service takes new values.

    If the row changes only after the second request, the key remains unknown: the next row is tried, with that key
    first.

    Parameters
    ----------
    context : WriteContext
        The write.
    update : Update
        The update to try. Its row of the frame stands for it in errors.
    planned : sequence of PlannedColumn
        The columns of its conditions and values.
    multiple_rows : {"all", "first"}
        The rows to update.
    """

    def __init__(
        self,
        context: WriteContext,
        update: Update,
        planned: Sequence[PlannedColumn],
        multiple_rows: MultipleRows = "all",
    ) -> None:
        self._context = context
        self._update = update
        self._types = {column.name: column.data_type for column in planned}
        self._multiple_rows: MultipleRows = multiple_rows
        self._conditions = self._texts_of(update.body)
        self._values = self._texts_of(update.values)

    def run(self) -> SendResult | None:
        """Send the update under one key after the other until the row has changed; return None if nothing would change.

        Raises
        ------
        FrameError
            With "first": not every row that matches would change. Nothing was sent.
        IncompleteWriteError
            The table could not be read after the update.
        VerificationError
            No key changes the row, or the row changed in another way. The caller must send no other update.
        """
        before = self._read()
        changes = [(match.changed - match.own) % 2**64 for match in before.matches]
        if not any(changes):
            return None
        if self._multiple_rows == "first" and not all(changes):
            raise FrameError(
                "Some of the rows that match have the new values already, so a change of the first of them may not be"
                " visible, and it is not known yet how ClicData takes new values. Use multiple_rows='all', or find it"
                " out first:\n    cd.doctor(write=True)"
            )
        wanted = {(before.total + change) % 2**64 for change in changes}
        if self._multiple_rows == "all":
            wanted = {(before.total + sum(changes)) % 2**64}
        client = self._context.client
        keys: tuple[UpdateKey, ...] = get_args(UpdateKey)
        if client.service_profile.found(_LIKELY) == keys[-1]:
            keys = keys[::-1]
        first: SendResult | None = None
        accepted: list[UpdateKey] = []
        tried = 0
        for key in keys:
            sent = send_updates(self._context, [self._update], 1, multiple_rows=self._multiple_rows, key=key)
            first = first or sent
            if sent.complete:
                accepted.append(key)
            elif not _is_refused(sent):
                return sent
            # An error with HTTP status 200 does not prove that nothing was done.
            elif not sent.ranges(Outcome.UNKNOWN):
                continue
            tried += 1
            try:
                after = self._read()
            except BaseException as exc:  # noqa: BLE001 - whatever happened, the update was sent
                failed = "reading the table back failed, so it is not known whether the row changed"
                raise_from(
                    failed_after_sending(self._context, self._states(), failed, exc, "Repeating the call is harmless."),
                    exc,
                )
            if after.total in wanted:
                # After two requests, it may be the first one that was carried out, late.
                fact = "update_key" if tried == 1 else _LIKELY
                client.service_profile.learn({fact: key}, client.dialect.kind)
                return sent
            if after.total != before.total:
                self._raise(before, after)
        if accepted:
            self._raise(before, None)
        return first

    def _states(self) -> RowStates:
        return RowStates([], list(self._update.ranges), self._context.payload.rows or 0)

    def _raise(self, before: _Snapshot, after: _Snapshot | None) -> None:
        table = self._context.table
        condition = ", ".join(f"{name}={text!r}" for name, text in self._conditions.items())
        where = f"row {row_ranges.ranges_text(self._update.ranges)} of the frame ({condition})"
        if after is None:
            differences = ["the row has its old values"]
            message = (
                f"ClicData accepted the update of {where} in table {table.label}, but the row did not change. No other"
                " row was sent. Please report it, with the output of: cd.doctor(write=True)"
            )
        else:
            differences = list(self._differences(before, after))[:_MAX_SHOWN]
            message = (
                f"The update of {where} changed table {table.label} in another way than requested:"
                f" {'; '.join(differences)}. No other row was sent. If another program changed the table at the same"
                " time, repeat the call. If not, correct this row in ClicData, and report it with the output of:"
                " cd.doctor(write=True)"
            )
        raise VerificationError(
            message,
            differences=differences,
            rec_id=table.rec_id,
            name=table.name,
            operation="update",
            ambiguous=True,
            **self._states().fields(),
        )

    def _differences(self, before: _Snapshot, after: _Snapshot) -> Iterable[str]:
        if len(before.matches) != len(after.matches):
            yield f"{len(after.matches):,} rows match instead of {len(before.matches):,}"
            return
        pairs = list(zip(before.matches, after.matches, strict=True))
        if self._multiple_rows == "first":
            pairs = [(old, new) for old, new in pairs if old.own != new.own]
            if len(pairs) > 1:
                yield f"{len(pairs):,} of the rows that match changed instead of one"
        for old, new in pairs:
            expected = {**old.texts, **{name: text for name, text in self._values.items() if text is not None}}
            for name in sorted(expected.keys() | new.texts.keys()):
                if name in self._values and self._values[name] is None:
                    expected.pop(name, None)
                if expected.get(name) != new.texts.get(name):
                    requested = f" (requested: {expected.get(name)!r})" if name in self._values else ""
                    yield f"column {name!r} is {new.texts.get(name)!r} and was {old.texts.get(name)!r}{requested}"
        if before.rest != after.rest:
            yield "rows with other keys changed"

    def _read(self) -> _Snapshot:
        return read.read_until_stable(self._scan)

    def _scan(self) -> _Snapshot:
        context, types = self._context, self._types
        total, matches = 0, []
        with closing(
            read.pages(context.client, context.table.rec_id, repeated_pages=context.options.repeated_pages)
        ) as pages:
            for page in pages:
                names = list(dict.fromkeys(name for row in page for name in row))
                columns = [
                    fingerprint.canonical([row.get(name) for row in page], types.get(name, ColumnType.TEXT))
                    for name in names
                ]
                for texts in zip(*columns, strict=True):
                    row = {name: text for name, text in zip(names, texts, strict=True) if text is not None}
                    own = _hash(row)
                    total += own
                    if all(row.get(name) == text for name, text in self._conditions.items()):
                        matches.append(_Match(row, own, _hash({**row, **self._values})))
        return _Snapshot(total % 2**64, matches)

    def _texts_of(self, cells: bytes) -> dict[str, str | None]:
        found = {cell["column"]: cell["value"] for cell in json.loads(cells, parse_float=Decimal)}
        return {name: fingerprint.canonical([value], self._types[name])[0] for name, value in found.items()}


def _hash(row: Mapping[str, str | None]) -> int:
    """Return a hash of a row that does not depend on the order of its columns. A null counts as no column."""
    cells = sorted((name, text) for name, text in row.items() if text is not None)
    return int.from_bytes(hashlib.blake2b(json.dumps(cells).encode(), digest_size=8).digest(), "big")


def _is_refused(sent: SendResult) -> bool:
    """Return whether the service answered with an error that may be about the body of the request."""
    reason = sent.reason
    if not isinstance(reason, ApiError) or isinstance(reason, _UNRELATED):
        return False
    return not reason.ambiguous or (reason.status or 0) < 400
