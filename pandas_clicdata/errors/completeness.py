"""Reads and writes that are not known to be whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pandas_clicdata.errors.base import ClicDataError


class IncompleteReadError(ClicDataError):
    """The rows received are not the whole table, so no frame is returned.

    Parameters
    ----------
    message : str
        What is missing.
    rec_id : int, optional
        The table.
    page : int, optional
        The page at which it was noticed.
    received : int, optional
        Rows received until then.
    expected : int, optional
        Rows the service said there are.
    """

    def __init__(
        self,
        message: str = "",
        *,
        rec_id: int | None = None,
        page: int | None = None,
        received: int | None = None,
        expected: int | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.page = page
        self.received = received
        self.expected = expected


RowRange = tuple[int, int]


class IncompleteWriteError(ClicDataError):
    """Not all rows are known to be in the table.

    The three lists hold ``(start, stop)`` row positions of the frame, half open as Python's slices are. They are
    disjoint and together cover the frame, so ``df.iloc[start:stop]`` gives the rows.

    Parameters
    ----------
    message : str
        What happened, to which rows.
    rec_id : int, optional
        The table, if it is there.
    name : str, optional
        Its name, if that is known.
    confirmed : sequence of (int, int)
        Rows that the service said it took.
    unknown : sequence of (int, int)
        Rows that were sent, and may or may not be in the table.
    unsent : sequence of (int, int)
        Rows that are not in the table: not sent, or refused.
    resume : dict, optional
        A token, plain JSON without secrets or values of the frame, that ``push`` and ``append`` take to go on. None
        where a write cannot be gone on with: that of a stream, and those that can simply be made again.
    """

    def __init__(
        self,
        message: str = "",
        *,
        rec_id: int | None = None,
        name: str | None = None,
        confirmed: Sequence[RowRange] = (),
        unknown: Sequence[RowRange] = (),
        unsent: Sequence[RowRange] = (),
        resume: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.rec_id = rec_id
        self.name = name
        self.confirmed = list(confirmed)
        self.unknown = list(unknown)
        self.unsent = list(unsent)
        self.resume = resume


class AmbiguousWriteError(IncompleteWriteError):
    """The fate of some rows is unknown: they were sent, and no reply says what became of them."""


class PartialWriteError(IncompleteWriteError):
    """ClicData counted other rows than were sent.

    Parameters
    ----------
    message : str
        What happened, to which rows.
    sent, counted : int, optional
        Rows in the request, and rows the reply counted.
    """

    def __init__(
        self, message: str = "", *, sent: int | None = None, counted: int | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.sent = sent
        self.counted = counted


class VerificationError(IncompleteWriteError):
    """What was read back is not what was sent: other rows, nulls or values.

    Parameters
    ----------
    message : str
        The differences.
    differences : sequence of str
        Each of them in a sentence.
    """

    def __init__(self, message: str = "", *, differences: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.differences = list(differences)


class ReplaceIncompleteError(IncompleteWriteError):
    """A replace stopped on its way: the table may hold some old rows, some new ones, or none.

    Parameters
    ----------
    message : str
        What happened.
    backup : str, optional
        The Parquet file that holds every old row; ``cd.restore(backup, table)`` puts them back. None if there were
        none.
    """

    def __init__(self, message: str = "", *, backup: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.backup = backup


class ResumeError(ClicDataError, ValueError):
    """A resume token or journal does not belong to this write, or cannot be read; nothing was sent."""


class JournalInUseError(ResumeError):
    """Another process, or another write of this one, is using the journal; nothing was sent."""
