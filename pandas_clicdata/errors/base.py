"""The root of the error tree."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Escape what a terminal would not print but act on: control characters, and those that reverse what follows.

    Parameters
    ----------
    text : str
        A text that may come from the service.
    keep : str, optional
        Characters to leave as they are.

    Examples
    --------
    >>> printable("a\\x1b[2Jb\\u202ec\\n")
    'a\\\\x1b[2Jb\\\\u202ec\\\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in text
    )


class ClicDataError(Exception):
    """Base of every error this package raises.

    Parameters
    ----------
    message : str
        A sentence for a person: what was wrong, where, and what to do.
    operation : str, optional
        The operation of the API, such as ``"insert"`` or ``"read"``.
    ambiguous : bool, default False
        Whether the request may have been carried out although it failed.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> issubclass(cd.TableNotFoundError, (cd.ClicDataError, LookupError))
    True
    """

    def __init__(self, message: str = "", *, operation: str | None = None, ambiguous: bool = False) -> None:
        # Names of tables and columns come from the service, whatever is in them. Lines are our own.
        super().__init__(printable(message, keep="\n") if isinstance(message, str) else message)
        self.operation = operation
        self.ambiguous = ambiguous
