"""``cd.options``: the defaults of arguments that most calls share, in the manner of ``pandas.options``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pandas_clicdata._checks import check_choice, check_whole_number, did_you_mean


@dataclass(frozen=True)
class _Option:
    """An option: what it means, and the check of its value."""

    meaning: str
    check: Callable[[Any], object]


def checked_progress(value: Any) -> None:
    """Check ``progress=``.

    Parameters
    ----------
    value : object
        The argument.

    Raises
    ------
    TypeError
        It is neither a bool, nor None, nor a callable.
    """
    if value is not None and not isinstance(value, bool) and not callable(value):
        raise TypeError(f"progress= must be True, False, None or a callable, not {value!r}.")


def _check_journal(value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(
            f"The option journal must be True, False or None, not {value!r}. Pass a path to a call instead."
        )


_OPTIONS = {
    "progress": _Option(
        "whether a bar shows the progress: True, False, a callable, or None, a bar in an interactive session after two"
        " seconds",
        checked_progress,
    ),
    "workers": _Option(
        "how many requests are sent at a time; None is 1 for writes and 4 for reads",
        lambda value: None if value is None else check_whole_number("workers", value, least=1),
    ),
    "journal": _Option(
        "whether a push or append keeps a journal in the user's state folder: True requires it, False keeps none, and"
        " None keeps one where that is possible",
        _check_journal,
    ),
    "dtype_backend": _Option(
        "the dtypes that a read returns: 'numpy_nullable', 'pyarrow', or None, NumPy dtypes",
        lambda value: None if value is None else check_choice("dtype_backend", value, ("numpy_nullable", "pyarrow")),
    ),
}


class Options:
    """The defaults of arguments that most calls share: ``cd.options``.

    An argument that is not None takes precedence. The options apply to all threads of the process.

    Attributes
    ----------
    progress : bool, callable or None
        Default of ``progress=``. None: a bar in an interactive session, if a call takes more than two seconds.
    workers : int or None
        Default of ``workers=``, the number of requests at a time. None: 1 for writes, 4 for reads.
    journal : bool or None
        Default of ``journal=`` of a push or append. None: a journal where one can be kept.
    dtype_backend : {"numpy_nullable", "pyarrow"} or None
        Default of ``dtype_backend=`` of a read. None: NumPy dtypes.

    Raises
    ------
    AttributeError
        There is no such option.
    TypeError, ValueError
        The value is not allowed.

    See Also
    --------
    option_context : Set options for a while.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> cd.options.workers = 8
    >>> cd.options.workers
    8
    >>> cd.options.workers = None
    """

    progress: Any
    workers: int | None
    journal: bool | None
    dtype_backend: Any

    def __init__(self) -> None:
        vars(self).update(dict.fromkeys(_OPTIONS))

    def __setattr__(self, name: str, value: object) -> None:
        _require(name)
        _OPTIONS[name].check(value)
        vars(self)[name] = value

    def __delattr__(self, name: str) -> None:
        _require(name)
        vars(self)[name] = None

    def __getattr__(self, name: str) -> Any:
        # Only for names that are no options.
        _require(name)

    def __dir__(self) -> list[str]:
        return [*_OPTIONS]

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {vars(self)[name]!r}: {each.meaning}" for name, each in _OPTIONS.items())


def _require(name: str) -> None:
    if name not in _OPTIONS:
        raise AttributeError(
            f"There is no option {name!r}.{did_you_mean(name, _OPTIONS)} Options: {', '.join(_OPTIONS)}."
        )


options = Options()


@contextlib.contextmanager
def option_context(*pairs: Any) -> Iterator[None]:
    """Set options inside a ``with`` block, as ``pandas.option_context`` does.

    Parameters
    ----------
    *pairs : str, object, …
        Names and values in turn.

    Yields
    ------
    None
        The block runs with these options.

    Raises
    ------
    AttributeError
        There is no such option.
    TypeError, ValueError
        A name lacks its value, or a value is not allowed. No option is changed.

    See Also
    --------
    options : Set options for good.

    Examples
    --------
    >>> import pandas_clicdata as cd
    >>> with cd.option_context("workers", 8, "progress", False):
    ...     cd.options.workers
    8
    >>> cd.options.workers is None
    True
    """
    if not pairs or len(pairs) % 2:
        raise ValueError('Pass names and values in turn: cd.option_context("workers", 8, "progress", False)')
    before, wanted = dict(vars(options)), Options()
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        setattr(wanted, name, value)
    try:
        for name in pairs[::2]:
            setattr(options, name, getattr(wanted, name))
        yield
    finally:
        vars(options).update({name: before[name] for name in pairs[::2]})
