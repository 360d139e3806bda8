"""One write of rows into one table, from the first look at the table to the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pandas_clicdata._models import TableRef
from pandas_clicdata.client import api
from pandas_clicdata.write.journal import Record
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Content, fitted
from pandas_clicdata.write.reconcile import ByContent, ByKeys, ByMark, Settler

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


@dataclass(frozen=True, eq=False, repr=False)
class Write:
    """What goes where, how, and what is known of it.

    Attributes
    ----------
    session : Session
        Whose table it is.
    content : Content
        The rows.
    table : TableRef
        The table.
    record : Record
        What is known already, and is kept.
    keys : sequence of str
        The columns that tell rows apart, if there are such.
    options : Options
        How it is done.
    started : float
        When the call began, by the clock that runs on.
    """

    session: Session
    content: Content
    table: TableRef
    record: Record
    keys: Sequence[str]
    options: Options
    started: float

    def fitted(self, known: api.KnownColumns | None) -> Write:
        """The same with the rows as the table takes them.

        Raises
        ------
        ColumnMismatchError
            It does not take them.
        ResumeError
            It took the first of them with other columns.
        """
        content = fitted(self.content, self.table, known, self.options, self.keys, left_out=self.record.left_out)
        self.record.check_left_out(content.left_out)
        return replace(self, content=content)

    def note_table(self) -> None:
        """Keep which table it is, and which columns it lacks, if that is not known yet."""
        if self.record.table is None:
            left_out = list(self.content.left_out)
            self.record.note("table", rec_id=self.table.rec_id, name=self.table.name, made=False, left_out=left_out)

    def by_keys(self) -> ByKeys:
        return ByKeys(self.session, self.table.rec_id, self.keys, self.content, self.record)

    def by_mark(self) -> ByMark:
        return ByMark(self.session, self.table.rec_id, str(self.options.stamp), self.record)

    def by_content(self) -> ByContent:
        return ByContent(self.session, self.table.rec_id, self.content, self.record)

    def settler(self) -> Settler | None:
        """How rows of unknown fate are told apart, if the user has said how."""
        if self.options.stamp is not None:
            return self.by_mark()
        if self.keys:
            return self.by_keys()
        return self.by_content() if self.options.on_unknown == "check" else None
