"""The root of the error tree."""

from __future__ import annotations


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
        super().__init__(message)
        self.operation = operation
        self.ambiguous = ambiguous
