"""Which write it is: one with another identity may not go on with its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pandas_clicdata.errors import ResumeError

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
