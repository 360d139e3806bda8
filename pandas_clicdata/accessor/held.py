"""The frame that the doors of ``df.clicdata`` stand before."""

from __future__ import annotations

import pandas as pd


class Held:
    """One frame, and nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
