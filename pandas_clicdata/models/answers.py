"""What the service answers beside tables and rows: records, pictures, runs of a schedule."""

from __future__ import annotations

import base64
import binascii
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pandas_clicdata.display import facts_html

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_FORMATS = ((_PNG, "png"), (_JPEG, "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_PNG_SIZE = struct.Struct(">II")
_PNG_SIZE_AT = 16


@dataclass(frozen=True)
class Records:
    """One page of a list of records.

    ``has_more``, ``total`` and ``number``, which page it is, are None where the reply does not say; ``full`` is
    whether it says which page it is and how many records one takes, and these are as many.
    """

    records: Sequence[Mapping[str, Any]] = field(repr=False)
    has_more: bool | None = None
    total: int | None = None
    number: int | None = None
    full: bool = False


class Picture:
    """A picture of a dashboard. It shows itself in a notebook; ``bytes(picture)`` is the file's content.

    Parameters
    ----------
    content : bytes
        The image file.

    Raises
    ------
    ValueError
        The content is no PNG, JPEG, GIF or BMP.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
    >>> picture = cd.Picture.from_base64(pixel)
    >>> picture
    <Picture: png, 1 x 1, 68 bytes>
    >>> bytes(picture)[:4]
    b'\\x89PNG'
    """

    def __init__(self, content: bytes) -> None:
        found = next((name for magic, name in _FORMATS if content.startswith(magic)), None)
        if found is None:
            raise ValueError("This is no PNG, JPEG, GIF or BMP image.")
        self._content = bytes(content)
        self.format = found

    @classmethod
    def from_base64(cls, text: str) -> Picture:
        """Read a picture from its base64 text, as the service sends it (S P), or from a ``data:`` address.

        Raises
        ------
        TypeError, ValueError
            It is no text, no base64, or no image.
        """
        if not isinstance(text, str):
            raise TypeError(f"A picture is read from its base64 text, not from {text!r}.")
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("This is no base64 text.") from None
        return cls(content)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels; None for other formats than PNG."""
        if self.format != "png" or len(self._content) < _PNG_SIZE_AT + _PNG_SIZE.size:
            return None
        width, height = _PNG_SIZE.unpack_from(self._content, _PNG_SIZE_AT)
        return int(width), int(height)

    def to_base64(self) -> str:
        """Return the base64 text."""
        return base64.b64encode(self._content).decode("ascii")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to a file, over one that is there.

        Parameters
        ----------
        path : path-like
            Where to. Without a suffix it gets that of the format.

        Returns
        -------
        Path
            The file.
        """
        target = Path(path)
        if not target.suffix:
            target = target.with_suffix(f".{self.format}")
        target.write_bytes(self._content)
        return target

    def __bytes__(self) -> bytes:
        return self._content

    def __len__(self) -> int:
        return len(self._content)

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, Picture) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        size = "" if self.size is None else f"{self.size[0]} x {self.size[1]}, "
        return f"<Picture: {self.format}, {size}{len(self):,} bytes>"

    def _repr_png_(self) -> bytes | None:
        return self._content if self.format == "png" else None

    def _repr_jpeg_(self) -> bytes | None:
        return self._content if self.format == "jpeg" else None

    def _repr_html_(self) -> str | None:
        # What a notebook has no form of its own for.
        if self.format in ("png", "jpeg"):
            return None
        return f'<img src="data:image/{self.format};base64,{self.to_base64()}" alt="a dashboard">'


RunStatus = Literal["triggered", "succeeded"]


@dataclass(frozen=True, kw_only=True)
class ScheduleRun:
    """A run of a schedule that was triggered.

    Attributes
    ----------
    rec_id : int
        The schedule's RecId.
    status : {"triggered", "succeeded"}
        ``triggered``: the service took the request, and how the run ends was not waited for. A run that failed is an
        error, :class:`ScheduleFailedError`.
    seconds : float
        Time taken.
    fields : mapping
        The last that the service said: of the trigger, or of the schedule after its run.
    """

    rec_id: int
    status: RunStatus
    seconds: float
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        said = {name: value for name, value in self.fields.items() if value is not None}
        facts = [("schedule", said.pop("name", "not known")), ("RecId", self.rec_id), ("status", self.status)]
        above = {"id": self.rec_id, "rec_id": self.rec_id, "status": self.status}
        rest = [(name, value) for name, value in said.items() if name not in above or value != above[name]]
        return facts_html("ClicData schedule", [*facts, ("seconds", f"{self.seconds:.2f}"), *rest])
