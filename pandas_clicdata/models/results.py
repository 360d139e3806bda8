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
class Account:
    """The account a session is on; ``fields`` is all that the service said of it.

    Examples
    --------
    >>> Account.from_fields({"id": 7, "name": "Acme", "domain": "acme.clicdata.com", "plan": "team"})
    Account(id=7, name='Acme', domain='acme.clicdata.com')
    """

    id: Any
    name: str | None
    domain: str | None
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Account:
        return cls(fields.get("id"), fields.get("name"), fields.get("domain"), dict(fields))


WriteStatus = Literal["confirmed", "unverified", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """The receipt of a write.

    Attributes
    ----------
    operation : str
        ``"push"``, ``"append"`` or ``"delete_rows"``.
    rec_id : int or None
        The table's RecId; None only for the dry run of a table that is yet to be made.
    name : str or None
        Its name, if that is known.
    rows : int or None
        Rows in the frame. None for the dry run of a stream.
    sent, confirmed, rejected : int
        Rows sent, rows that the replies counted, rows that they refused. A write of which rows are refused raises, so
        that in a receipt none are.
    batches, retries : int
        Requests that carried rows (in a dry run: that would), and how often one of them was safely tried again.
    seconds : float
        Time taken.
    status : {"confirmed", "unverified", "dry_run"}
        ``confirmed``: the replies counted every row. ``unverified``: each was accepted, in a dialect without counts.
    columns : tuple of PlannedColumn
        What was sent for each column.
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
        return facts_html(f"ClicData {self.operation}", facts)
