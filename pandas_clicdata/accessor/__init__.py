"""``df.clicdata``: a signature, a docstring and one call each."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pandas_clicdata import schema
from pandas_clicdata.accessor.adding import Adding
from pandas_clicdata.accessor.changing import Changing


class ClicDataAccessor(Adding, Changing):
    """Send a DataFrame to ClicData: push, append, update_rows, upsert, delete_rows, and schema to look before.

    Parameters
    ----------
    frame : DataFrame
        The frame whose ``.clicdata`` this is.
    """

    def __repr__(self) -> str:
        rows, columns = self._frame.shape
        doors = "push, append, update_rows, upsert, delete_rows, schema"
        return f"<df.clicdata of {rows:,} rows, {columns:,} columns: {doors}>"

    def schema(self, columns: Mapping[str, str] | None = None, *, index: bool = False) -> pd.DataFrame:
        """Tell what each column would become, without sending anything.

        Returns
        -------
        DataFrame
            For each column, with ``columns`` and ``index`` as in :meth:`push`: ``column``, ``dtype``, ``clicdata_type``
            and ``note``. A column that would be refused has no type, and the note says why. The dtypes are themselves
            there, so that ``pd.read_clicdata(…, schema=…)`` can give them back.

        Raises
        ------
        FrameError
            Names that are missing or collide, or ``columns`` names what is not there.

        Examples
        --------
        >>> import pandas as pd, pandas_clicdata as cd
        >>> pd.DataFrame({"flight": ["UA1545"], "delay": [2]}).clicdata.schema()["clicdata_type"].tolist()
        ['text', 'number']
        """
        return schema.schema_frame(schema.enter(self._frame, index=index), columns)
