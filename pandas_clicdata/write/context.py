"""The context of one write: what is sent where, how, and what is known so far."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from pandas_clicdata._models import Framing, PlannedColumn, TableRef, WireFormat
from pandas_clicdata.client import api, operations
from pandas_clicdata.client.api import Client
from pandas_clicdata.session import Session
from pandas_clicdata.types import row_codec
from pandas_clicdata.write.journal import Identity, Journal
from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Payload, align, stamp_column


def identity_of(
    operation: str,
    table: int | str,
    client: Client,
    payload: Payload,
    keys: Sequence[str],
    options: Options,
    *,
    resumable: bool = False,
) -> Identity:
    """Return the identity of a write, by which its token and journal are recognized."""
    return Identity(
        operation=operation,
        table=table,
        if_exists=options.if_exists if operation == "push" else "",
        account=client.account_label,
        rows=payload.rows,
        columns=[(column.name, str(column.data_type)) for column in payload.planned],
        frame=lambda: payload.hash,
        stamp=options.stamp,
        on=keys or None,
        resumable=resumable,
        subject=payload.subject,
        call=options.given(),
    )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class WriteContext:
    """One write. It is handed down unchanged, from the public function to the inserts and the reconcilers.

    Attributes
    ----------
    operation : str
        The public function: ``"push"``, ``"append"`` and so on.
    session : Session
        The account.
    table : TableRef
        The table.
    payload : Payload
        The rows.
    keys : sequence of str
        The columns that identify a row; empty if there are none.
    options : Options
        The options of the call.
    journal : Journal
        What is known so far.
    started : float
        The start of the call, on the clock of ``time.perf_counter``.
    """

    operation: str
    session: Session
    table: TableRef
    payload: Payload
    options: Options
    journal: Journal
    keys: Sequence[str] = ()
    started: float = field(default_factory=time.perf_counter)

    @property
    def client(self) -> Client:
        """The client of the account."""
        return self.session._client

    @property
    def columns(self) -> list[PlannedColumn]:
        """The columns that are sent, including the stamp."""
        stamp = self.options.stamp
        return self.payload.planned if stamp is None else [*self.payload.planned, stamp_column(stamp)]

    def encode(self, part: pa.RecordBatch, stamp: str | None) -> bytes:
        """Return the body of a batch with these rows, which are aligned with the table, and this stamp."""
        return self.body(self.row_texts(part), stamp)

    def row_texts(self, part: pa.RecordBatch) -> pa.LargeStringArray:
        """Return the JSON of each row, up to the stamp if there is one."""
        wires, framing, end = self._row_format
        return row_codec.row_texts(part, wires, framing, end)

    def body(self, texts: pa.LargeStringArray, stamp: str | None) -> bytes:
        """Return the body of a batch with these rows, which :meth:`row_texts` has returned, and this stamp."""
        if stamp is not None:
            end = f"{self._framing.prefixes[-1]}{operations.text_literal(stamp)}{self._framing.closing},"
            texts = row_codec.with_end(texts, end)
        return row_codec.joined(texts)

    @functools.cached_property
    def _framing(self) -> Framing:
        return self.client.dialect.row_framing([column.name for column in self.columns])

    @functools.cached_property
    def _row_format(self) -> tuple[list[WireFormat], Framing, str]:
        """How to write the columns of the payload, the JSON around their cells, and what follows the last cell."""
        wires = [column.wire for column in self.payload.planned]
        end = "" if self.options.stamp is not None else f"{self._framing.closing},"
        return wires, replace(self._framing, prefixes=self._framing.prefixes[: len(wires)]), end

    def aligned(self, known: api.KnownColumns | None) -> WriteContext:
        """Return the context with the rows aligned with the table's columns.

        Raises
        ------
        ColumnMismatchError
            The columns differ.
        ResumeError
            The table's columns have changed since the write began.
        """
        payload = align(self.payload, self.table, known, self.options, self.keys, left_out_before=self.journal.left_out)
        self.journal.check_left_out(payload.left_out)
        return replace(self, payload=payload)

    def record_table(self) -> None:
        """Record in the journal which table this is and which columns it lacks, unless it is recorded already."""
        if self.journal.table is None:
            left_out = list(self.payload.left_out)
            self.journal.record("table", rec_id=self.table.rec_id, name=self.table.name, made=False, left_out=left_out)
