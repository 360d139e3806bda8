"""Push and append: which table, and which way in."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pandas_clicdata import endpoints, lookup
from pandas_clicdata.checks import unicode_text
from pandas_clicdata.errors import TableExistsError
from pandas_clicdata.models import Column, ColumnType, TableRef, WriteResult
from pandas_clicdata.writing import backup, replacing, updating
from pandas_clicdata.writing.creating import make_table
from pandas_clicdata.writing.options import IfExists, Options
from pandas_clicdata.writing.receipts import finished_before
from pandas_clicdata.writing.workflow import append_to, dry, entered, identity_of, record_of, send_rows
from pandas_clicdata.writing.write import Write

if TYPE_CHECKING:
    from pandas_clicdata.session import Session


def push(
    session: Session | None, obj: object, name: object, *, if_exists: IfExists, description: str, options: Options
) -> WriteResult:
    """Make a table and send the rows, or do what the user says if it is there."""
    table_name = lookup.checked_name(name)
    unicode_text("A table's description", description)
    _check_if_exists(if_exists, options)
    content, keys = entered(obj, options)
    started = time.perf_counter()
    session = endpoints.resolved(session)
    identity = identity_of("push", table_name, session, content, keys, options, if_exists)
    with record_of(identity, options) as record:
        if record.done is not None:
            return finished_before(record, content.planned, options.journal, started, verify=options.verify)
        if if_exists == "replace" and record.backup is None and not record.cleared:
            backup.check_place(options.backup)
        table = record.table if record.table is not None else TableRef(0, table_name)
        write = Write(session, content, table, record, keys, options, started)
        if record.table is not None:
            return _into(write)
        found = None if record.creating else lookup.find_by_name(session, table_name)
        if found is not None and if_exists == "fail":
            raise TableExistsError(
                f"There is a table named {table_name!r} already (RecId {found.rec_id}). Append to it with"
                " if_exists='append', or choose another name."
            )
        if found is not None:
            return _into(replace(write, table=found))
        if options.dry_run:
            return dry(write)
        columns = [Column(column.name, str(column.data_type)) for column in content.planned]
        if options.stamp is not None:
            columns.append(Column(options.stamp, str(ColumnType.TEXT)))
        table = make_table(session, table_name, description, columns, record)
        return send_rows(replace(write, table=table))


def _check_if_exists(if_exists: IfExists, options: Options) -> None:
    if if_exists not in ("fail", "append", "replace", "upsert"):
        raise ValueError(f"if_exists={if_exists!r} is not known; it is 'fail', 'append', 'replace' or 'upsert'.")
    if if_exists == "upsert":
        if options.on is None:
            raise ValueError("if_exists='upsert' needs on=, the columns whose values tell one row from another.")
        for name in ("stamp", "resume", "journal"):
            if getattr(options, name) is not None:
                raise ValueError(f"An upsert takes no {name}=: its keys tell what is there, and it can be made again.")
    if options.backup is not None and if_exists != "replace":
        raise ValueError("backup= is where if_exists='replace' saves the old rows; nothing else takes rows away.")


def _into(write: Write) -> WriteResult:
    """Push to a table that is there, in the way the user has said."""
    match write.record.identity.if_exists:
        case "replace" if not write.record.made:
            return replacing.replace_rows(write)
        case "upsert" if not write.record.made:
            return updating.upsert_into(
                write.session, write.content, write.keys, write.table, "push", write.options, write.started
            )
    return append_to(write)


def append(session: Session | None, obj: object, table: object, *, options: Options) -> WriteResult:
    """Send rows to a table that is there."""
    meant = lookup.checked_table(table)
    content, keys = entered(obj, options)
    started = time.perf_counter()
    session = endpoints.resolved(session)
    identity = identity_of("append", meant, session, content, keys, options)
    with record_of(identity, options) as record:
        if record.done is not None:
            return finished_before(record, content.planned, options.journal, started, verify=options.verify)
        found = record.table if record.table is not None else lookup.find(session, meant)
        return append_to(Write(session, content, found, record, keys, options, started))
