"""Everything that changes the rows of a table."""

from pandas_clicdata.write.append import append
from pandas_clicdata.write.delete import delete_rows
from pandas_clicdata.write.push import push
from pandas_clicdata.write.replace import restore
from pandas_clicdata.write.unfinished import discard_unfinished, unfinished
from pandas_clicdata.write.update import update_rows, upsert

__all__ = ["append", "delete_rows", "discard_unfinished", "push", "restore", "unfinished", "update_rows", "upsert"]
