"""What the sandbox has committed, for tests to count by."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import itemgetter
from typing import Any

from pandas_clicdata.sandbox.refusal import Refusal
from pandas_clicdata.sandbox.rowjson import row_expression
from pandas_clicdata.sandbox.rowtables import generations
from pandas_clicdata.sandbox.store import Store, Table

_ALL = 2**62


class Ledger:
    """The committed rows. A table is named by its id or its name.

    Values are as they were sent: whole numbers as int, others as Decimal, with every digit.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def table_id(self, table: int | str) -> int:
        """The id of a table; LookupError if there is none."""
        return self._find(table).id

    def _find(self, table: int | str) -> Table:
        for known in self._store.tables():
            if table in (known.id, known.name):
                return known
        raise LookupError(f"The sandbox has no table {table!r}.")

    def tables(self) -> dict[str, int]:
        """The names of all tables and their ids."""
        return {table.name: table.id for table in self._store.tables()}

    def count(self, table: int | str) -> int:
        """How many rows a table has now."""
        return self._find(table).rows

    def rows(self, table: int | str, version: int | None = None) -> list[dict[str, Any]]:
        """The rows of a table, now or in a version, in the order they were inserted."""
        rows: list[dict[str, Any]] = exactly(self.rows_text(table, version))
        return rows

    def rows_text(self, table: int | str, version: int | None = None) -> str:
        """The same as JSON text; LookupError if there is no such table or version."""
        known = self._find(table)
        try:
            return f"[{','.join(self._store.page(known.id, 0, _ALL, version=version)[2])}]"
        except Refusal as exc:
            raise LookupError(exc.description) from None

    def inserts(self, table: int | str) -> list[tuple[int, list[dict[str, Any]]]]:
        """Every insert ever committed: the number of its request and the rows as they were sent."""
        return [(request, rows) for request, rows in exactly(self.inserts_text(table))]

    def inserts_text(self, table: int | str) -> str:
        """The same as JSON text, with lists for the pairs."""
        known = self._find(table)
        found: list[tuple[int, int, str]] = []
        with self._store.transaction() as db:
            # A row that was changed or deleted since has its first form among the past rows.
            for lie in generations(db, self._store.table(known.id)):
                row, values = row_expression(lie.columns)
                for table in filter(None, (lie.now, lie.past)):
                    found += db.execute(f"SELECT row, born, {row} FROM {table}", values)  # noqa: S608
            spans = db.execute(
                "SELECT request, first_row, last_row FROM inserts WHERE table_id = ? ORDER BY first_row", (known.id,)
            ).fetchall()
        first = {number: text for number, _, text in sorted(found, key=itemgetter(0, 1), reverse=True)}
        inserts = (
            f"[{request},[{','.join(first[number] for number in range(start, end + 1))}]]"
            for request, start, end in spans
        )
        return f"[{','.join(inserts)}]"


def exactly(text: str | bytes) -> Any:
    """Parsed JSON in which no number has lost a digit."""
    return json.loads(text, parse_float=Decimal)
