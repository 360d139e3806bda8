"""What the sandbox has committed, so that tests can count it."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import itemgetter
from typing import Any

from pandas_clicdata.sandbox.dialects import Refusal
from pandas_clicdata.sandbox.protocol import operation
from pandas_clicdata.sandbox.rowtables import generations, row_expression
from pandas_clicdata.sandbox.store import Store, Table

_ALL = 2**62


class Ledger:
    """The rows that a sandbox has committed, in this process or in another.

    A table is given by its id or by its exact name. Values are as they were sent: integers as int, other numbers as
    Decimal with every digit.

    Parameters
    ----------
    store : Store
        The database of the sandbox.

    Examples
    --------
    >>> from pandas_clicdata.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     table = sandbox.seed() and sandbox.ledger.table_id("Penguins")
    ...     sandbox.ledger.count(table)
    344
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("GET", "ledger/table_id", "table_id")
    def table_id(self, table: int | str) -> int:
        """Return the id of a table.

        Parameters
        ----------
        table : int or str
            Id or name of the table.

        Returns
        -------
        int
            The RecId.

        Raises
        ------
        LookupError
            No table has this id or name.
        """
        return self._find(table).id

    def _find(self, table: int | str) -> Table:
        for known in self._store.tables():
            if table in (known.id, known.name):
                return known
        raise LookupError(f"The sandbox has no table {table!r}.")

    @operation("GET", "ledger/tables")
    def tables(self) -> dict[str, int]:
        """Return the ids of all tables by their names.

        Returns
        -------
        dict of str to int
            The RecId of each table.
        """
        return {table.name: table.id for table in self._store.tables()}

    @operation("GET", "ledger/count", "count")
    def count(self, table: int | str) -> int:
        """Return the number of rows that a table has now.

        Parameters
        ----------
        table : int or str
            Id or name of the table.

        Returns
        -------
        int
            The number of rows.

        Raises
        ------
        LookupError
            No table has this id or name.
        """
        return self._find(table).rows

    def rows(self, table: int | str, version: int | None = None) -> list[dict[str, Any]]:
        """Return the rows of a table, in the order in which they were inserted.

        Parameters
        ----------
        table : int or str
            Id or name of the table.
        version : int, optional
            Number of a version, from 1. None: the rows that the table has now.

        Returns
        -------
        list of dict
            The rows, each with its values by column name.

        Raises
        ------
        LookupError
            There is no such table, or it has no such version.
        """
        rows: list[dict[str, Any]] = _with_decimals(self._rows_json(table, version))
        return rows

    @operation("GET", "ledger/rows", is_json=True)
    def _rows_json(self, table: int | str, version: int | None = None) -> str:
        known = self._find(table)
        try:
            return f"[{self._store.page(known.id, 0, _ALL, version=version).json_rows.decode()}]"
        except Refusal as exc:
            raise LookupError(exc.description) from None

    def inserts(self, table: int | str) -> list[tuple[int, list[dict[str, Any]]]]:
        """Return every insert that was ever committed to a table.

        Parameters
        ----------
        table : int or str
            Id or name of the table.

        Returns
        -------
        list of tuple
            For each insert, the number of its request and its rows as they were sent.

        Raises
        ------
        LookupError
            No table has this id or name.
        """
        return [(request, rows) for request, rows in _with_decimals(self._inserts_json(table))]

    @operation("GET", "ledger/inserts", is_json=True)
    def _inserts_json(self, table: int | str) -> str:
        known = self._find(table)
        found: list[tuple[int, int, str]] = []
        with self._store.transaction() as db:
            # A row that was changed or deleted since then has its first form among the past rows.
            for generation in generations(db, self._store.table(known.id)):
                row, values = row_expression(generation.columns)
                for name in filter(None, (generation.now, generation.past)):
                    found += db.execute(f"SELECT row, born, {row} FROM {name}", values)  # noqa: S608
            spans = db.execute(
                "SELECT request, first_row, last_row FROM inserts WHERE table_id = ? ORDER BY first_row", (known.id,)
            ).fetchall()
        first = {number: text for number, _, text in sorted(found, key=itemgetter(0, 1), reverse=True)}
        inserts = (
            f"[{request},[{','.join(first[number] for number in range(start, end + 1))}]]"
            for request, start, end in spans
        )
        return f"[{','.join(inserts)}]"


def _with_decimals(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)
