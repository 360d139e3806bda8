"""What the service answers about an account and about a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pandas_clicdata.display import facts_html
from pandas_clicdata.models.tables import PlannedColumn


@dataclass(frozen=True)
class InsertCounts:
    """What the reply to an insert counted; None where the dialect has no counts."""

    inserted: int | None = None
    found: int | None = None


@dataclass(frozen=True)
class Sent:
    """What became of a request that was carried out.

    Attributes
    ----------
    counts : InsertCounts
        What its reply counted.
    retries : int
        How often it was tried again.
    perhaps_twice : bool
        Whether a try before the last may have been carried out too, or may still be.
    connection : int
        The number of the connection that its reply came on.
    """

    counts: InsertCounts = field(default_factory=InsertCounts)
    retries: int = 0
    perhaps_twice: bool = False
    connection: int = 0


@dataclass(frozen=True)
class AccountInfo:
    """The account a session is on; ``fields`` is all that the service said of it.

    Examples
    --------
    >>> AccountInfo.from_fields({"id": 7, "name": "Acme", "domain": "acme.clicdata.com", "plan": "team"})
    AccountInfo(id=7, name='Acme', domain='acme.clicdata.com')
    """

    id: Any
    name: str | None
    domain: str | None
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AccountInfo:
        return cls(fields.get("id"), fields.get("name"), fields.get("domain"), dict(fields))

    def _repr_html_(self) -> str:
        known = {"id": self.id, "name": self.name, "domain": self.domain}
        facts = {**known, **self.fields}
        return facts_html("ClicData account", [(name, value) for name, value in facts.items() if value is not None])


_SHOWN_ROWS = 20

WriteStatus = Literal["verified", "confirmed", "unverified", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The receipt of a write.

    Attributes
    ----------
    operation : str
        ``"push"``, ``"append"``, ``"update_rows"``, ``"upsert"``, ``"delete_rows"``, ``"restore"``, ``"update_data"``
        or ``"delete_data"``.
    rec_id : int or None
        The table's RecId; None only for the dry run of a table that is yet to be made.
    name : str or None
        Its name, if that is known.
    rows : int or None
        Rows in the frame. None for the dry run of a stream. Where a dict says which rows of the table are meant, it
        counts as one row, sent or not: the service does not say how many rows it met.
    sent, confirmed, rejected : int
        Rows sent, rows that the replies counted or that were found in the table, rows that were refused. A write of
        which rows are refused raises, so that in a receipt none are.
    batches, retries : int
        Requests that carried rows (in a dry run: that would), and how often one of them was safely tried again.
    seconds : float
        Time taken.
    status : {"verified", "confirmed", "unverified", "dry_run"}
        ``verified``: read back and compared. ``confirmed``: the replies counted every row, or it was found in the
        table. ``unverified``: each request was accepted, in a dialect without counts.
    columns : tuple of PlannedColumn
        What was sent for each column.
    matched : int or None
        Rows of the table that the frame's keys meet, where they were looked up.
    preview : DataFrame or None
        In the dry run of a delete, the rows of the table that would go.
    backup : str or None
        The Parquet file with the rows that a replace took away; :func:`restore` puts them back.
    stale_marks : tuple of str
        With ``stamp=``: the marks of tries that were given up. Rows that carry one came late and may be deleted at any
        time; the write has deleted those that came before its end.
    notes : tuple of str
        What else there is to know, in sentences.
    """

    operation: str
    rec_id: int | None
    name: str | None
    rows: int | None
    sent: int
    confirmed: int
    rejected: int
    batches: int
    retries: int
    seconds: float
    status: WriteStatus
    columns: tuple[PlannedColumn, ...] = field(default=(), repr=False)
    matched: int | None = None
    preview: Any = field(default=None, repr=False, compare=False)
    backup: str | None = None
    stale_marks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        facts: list[tuple[str, object]] = [
            ("table", self.name if self.name is not None else "not known"),
            ("RecId", self.rec_id if self.rec_id is not None else "not made yet"),
            ("rows", "a stream" if self.rows is None else f"{self.rows:,}"),
            ("sent", f"{self.sent:,}"),
            ("confirmed", f"{self.confirmed:,}"),
            ("rejected", f"{self.rejected:,}"),
            ("batches", f"{self.batches:,}"),
            ("retries", f"{self.retries:,}"),
            ("seconds", f"{self.seconds:.2f}"),
            ("status", self.status.replace("_", " ")),
            ("columns", ", ".join(f"{column.name} ({column.data_type})" for column in self.columns)),
        ]
        if self.matched is not None:
            facts.append(("rows matched", f"{self.matched:,}"))
        if self.backup is not None:
            facts.append(("backup", self.backup))
        if self.stale_marks:
            facts.append(("stale marks", ", ".join(self.stale_marks)))
        facts += [("note", note) for note in self.notes]
        table = facts_html(f"ClicData {self.operation}", facts)
        return table if self.preview is None else table + str(self.preview.to_html(max_rows=_SHOWN_ROWS))
