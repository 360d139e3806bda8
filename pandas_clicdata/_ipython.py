"""The traceback of an error in IPython: the lines of the user and the sentence of the error.

This module has no part in ``_display``, because ``errors`` imports it and ``_display`` imports ``errors``. It never
imports IPython, but looks for it among the imported modules.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def _path(name: str) -> str:
    return os.path.normcase(os.path.realpath(name))


_PACKAGE = __name__.partition(".")[0]
# Their frames are never lines of the user. The files of Python itself are recognized by their folder.
_LIBRARIES = frozenset(
    (
        _PACKAGE,
        *("IPython", "ipykernel", "traitlets", "tornado"),
        *("pandas", "numpy", "pyarrow", "polars", "dask", "distributed", "tqdm"),
        *("requests", "urllib3", "oauthlib", "requests_oauthlib", "filelock", "platformdirs"),
    )
)
_STDLIB = tuple({_path(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")
_MAX_LINES = 12
_MAX_CAUSES = 4
_MAX_WIDTH = 160
# In these modes, a traceback of IPython is longer than ours and has no variables.
_LONG_MODES = ("Context", "Plain")
# Builtin errors that the checks of arguments raise.
_CHECKED = (TypeError, ValueError, OSError)
_GREEN, _RED = "\x1b[32m", "\x1b[31m"
_RESET = "\x1b[0m"
# Between the parts of highlighted code.
_GAP = r"(?:\x1b\[[0-9;]*m|\s){0,20}+"
_QUOTED = r"""(?P<quote>\"\"\"|'''|["'])(?:\\.|(?!(?P=quote)).)*+(?P=quote)"""
_QUOTED_TEXT = re.compile(_QUOTED)
# As in api_key="…", {"password": ["…"]} and settings["password"] = "…".
_NAMED_TEXT = re.compile(
    rf"""\b(?P<name>\w+)(?P<between>{_GAP}["']?{_GAP}\]?{_GAP}[=:]{_GAP}[\[({{]?{_GAP}[bBrRuUfF]{{0,2}}+{_GAP}){_QUOTED}"""
)
# As in set_password(7, "…").
_PASSWORD_CALL = re.compile(rf"""(?i)password\w*{_GAP}\((?:[^()"'\n]++|{_QUOTED})*""")


def running_shell() -> Any:
    """Return the shell of IPython that runs this program; None outside of IPython."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def render_traceback(error: BaseException) -> list[str]:
    """Return the lines that IPython shows for an error; the hook ``_render_traceback_`` of IPython.

    The first time, these are the lines of the user, the sentence of the error, and each cause in one line. When the
    error is shown again, as by ``%tb``, or in a mode such as Verbose, it is the traceback of IPython.

    Parameters
    ----------
    error : BaseException
        The error.

    Returns
    -------
    list of str
        The lines.
    """
    shell = running_shell()
    if shell is None:
        return "".join(traceback.format_exception(error)).splitlines()
    # After IPython has shown an error, it renders the error once more, for its history.
    for_history = sys._getframe(1).f_code.co_name == "_format_exception_for_storage"
    shown_before = vars(error).get("_is_shown", False) and not for_history
    if not for_history:
        vars(error)["_is_shown"] = True
    formatter = shell.InteractiveTB
    if shown_before or getattr(formatter, "mode", None) not in _LONG_MODES:
        lines = formatter.structured_traceback(type(error), error, error.__traceback__)
        return [_without_secrets(line) for line in lines]
    # The debugger of IPython, %debug, begins here.
    formatter.tb = error.__traceback__
    colored = str(getattr(shell, "colors", "nocolor")).lower() != "nocolor"
    return list(_brief(error, shell, colored=colored))


class Interrupt(KeyboardInterrupt):
    """A KeyboardInterrupt that IPython shows in a few lines."""

    _render_traceback_ = render_traceback

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyboardInterrupt, self.args


# Programs that read the output of a notebook recognize a stopped cell by this name.
Interrupt.__name__ = Interrupt.__qualname__ = "KeyboardInterrupt"


def shown_briefly(function: F) -> F:
    """Let IPython show, in a few lines, a Ctrl-C and the builtin errors of the checks in a function, too.

    Outside of IPython, the function is unchanged. There, a KeyboardInterrupt must stay one exactly, because Python ends
    a program with the exit status of a signal only for this very class.

    Parameters
    ----------
    function : callable
        A public function.

    Returns
    -------
    callable
        The function, or one that calls it.
    """
    if running_shell() is None:
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (KeyboardInterrupt, *_CHECKED) as exc:
            shown = _prepared(exc)
            if shown is exc:
                raise
        finally:
            # A traceback with locals must not show a credential among the arguments.
            args, kwargs = (), {}
        # Raised here, so that the exception that it replaces is not its context.
        raise shown

    @functools.wraps(function)
    def iterate(*args: Any, **kwargs: Any) -> Any:
        try:
            yield from function(*args, **kwargs)
        except (KeyboardInterrupt, *_CHECKED) as exc:
            shown = _prepared(exc)
            if shown is exc:
                raise
        else:
            return
        raise shown

    return cast(F, iterate if inspect.isgeneratorfunction(function) else call)


def _prepared(exc: BaseException) -> BaseException:
    """Return an exception that IPython shows in a few lines: a new KeyboardInterrupt, or the same builtin error."""
    if isinstance(exc, Interrupt):
        return exc
    if isinstance(exc, KeyboardInterrupt):
        frames = exc.__traceback__
        # The first frame, of the function that raises the new exception, is added again then.
        interrupt = Interrupt(*exc.args).with_traceback(frames and frames.tb_next)
        interrupt.__cause__, interrupt.__context__ = exc.__cause__, exc.__context__
        interrupt.__suppress_context__ = exc.__suppress_context__
        return interrupt
    if not hasattr(exc, "_render_traceback_") and _is_raised_here(exc):
        exc._render_traceback_ = functools.partial(render_traceback, exc)  # type: ignore[attr-defined]
    return exc


def _is_raised_here(exc: BaseException) -> bool:
    innermost = _innermost(exc)
    return innermost is not None and _library_of(innermost) == _PACKAGE


def _innermost(exc: BaseException) -> FrameType | None:
    frames = [frame for frame, _ in traceback.walk_tb(exc.__traceback__)]
    return frames[-1] if frames else None


def _library_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_of_user(frame: FrameType) -> bool:
    if _library_of(frame) in _LIBRARIES:
        return False
    name = frame.f_code.co_filename
    if name.startswith("<frozen "):
        return False
    path = _path(name)
    return not path.startswith(_STDLIB) or _INSTALLED.search(path) is not None


@dataclass(frozen=True)
class _Place:
    """A line of the user that was being executed."""

    file: str
    line: int
    function: str
    source: str

    def __str__(self) -> str:
        # The form of IPython, in which programs find the place.
        line = f", line {self.line}" if self.file.startswith("Cell ") else f":{self.line}"
        return f"{self.file}{line}{self.function}"


def _places(tb: TracebackType | None, shell: Any) -> list[_Place]:
    """Return the lines of the user in a traceback, the innermost last."""
    places: list[_Place] = []
    timed: tuple[int, list[str]] | None = None
    for frame, line in traceback.walk_tb(tb):
        if not _is_of_user(frame):
            continue
        code = frame.f_code
        if timed is not None and code.co_filename.startswith("<timed "):
            # %time and %%time compile a part of the cell under this name.
            cell, (lines_above, lines) = places.pop(), timed
            source = lines[line - 1] if line <= len(lines) else ""
            place = replace(cell, line=cell.line + lines_above + line - 1, source=source.strip())
        else:
            source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
            function = "" if code.co_name == "<module>" else f", in {code.co_name}"
            place = _Place(_file(code.co_filename, shell), line, function, source)
        places.append(place)
        timed = _timed(source)
    return places


def _timed(source: str) -> tuple[int, list[str]] | None:
    """Return how many lines below the magic %time or %%time its code begins, and the lines of the code."""
    with suppress(SyntaxError, ValueError, AttributeError, IndexError):
        call: Any = ast.parse(source, mode="eval").body
        if ast.literal_eval(call.args[0]) == "time":
            return int(call.func.attr == "run_cell_magic"), str(ast.literal_eval(call.args[-1])).splitlines()
    return None


def _file(name: str, shell: Any) -> str:
    with suppress(Exception):
        label = shell.compile.format_code_name(name)
        if label is not None:
            return " ".join(label)
    with suppress(ValueError, RuntimeError):
        name = f"~{os.sep}{Path(name).relative_to(Path.home())}"
    return f"File {name}"


def _linked(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield the exceptions that Python would print with an error, and the relation of each."""
    seen = {id(error)}
    while True:
        relation = "Cause"
        following = error.__cause__
        if following is None and not error.__suppress_context__:
            relation, following = "While handling", error.__context__
        if following is None or id(following) in seen:
            return
        seen.add(id(following))
        error = following
        yield error, relation


def _brief(error: BaseException, shell: Any, *, colored: bool) -> Iterator[str]:
    links = list(_linked(error))
    stopped = None
    if isinstance(error, Interrupt) and links and hasattr(links[0][0], "_render_traceback_"):
        # The state of the rows of a write that the user stopped.
        stopped = links.pop(0)[0]
    causes = [_one_line(*link, shell) for link in links]
    if len(causes) > _MAX_CAUSES:
        causes[_MAX_CAUSES - 2 : -1] = [f"… {len(causes) - _MAX_CAUSES + 2} more causes"]

    def paint(text: str, color: str) -> str:
        return f"{color}{text}{_RESET}" if colored else text

    room = _MAX_LINES - 2 - (stopped is not None) - len(causes)
    for where, source in _fitting(_places(error.__traceback__, shell), room):
        yield f"{paint(where, _GREEN)}{source}"
    for each in (error, stopped):
        if each is not None:
            name, colon, text = _sentence(each).partition(":")
            yield f"{paint(name, _RED)}{colon}{text}"
    yield from causes
    yield "The full traceback: %tb"


def _fitting(places: list[_Place], room: int) -> Iterator[tuple[str, str]]:
    """Yield the places with their source, on two lines each if there is room, otherwise on one."""
    repeated = [(place, len(list(group))) for place, group in groupby(places)]
    before = "\n    " if 2 * len(repeated) <= room else "  "
    skipped = max(0, len(repeated) - room)
    for number, (place, times) in enumerate(repeated):
        if skipped and 1 <= number <= skipped + 1:
            if number == 1:
                yield f"… {skipped + 1} more lines", ""
            continue
        source = _shortened(_without_secrets(place.source))
        count = f" ({times} times)" if times > 1 else ""
        yield f"{place}{count}", f"{before}{source}" if source else ""


def _sentence(error: BaseException) -> str:
    """Return the name of an error without its module, the text, and the notes that were added to it."""
    text = "".join(traceback.format_exception_only(error)).rstrip()
    return text.removeprefix(f"{type(error).__module__}.")


def _one_line(error: BaseException, relation: str, shell: Any) -> str:
    from pandas_clicdata.errors import printable

    text = _shortened(printable(_sentence(error).split("\n", 1)[0]))
    innermost = _innermost(error)
    if innermost is not None and _is_of_user(innermost):
        # For example in a callable or an iterator of the user, which is in no frame of the error itself.
        text += f" ({_places(error.__traceback__, shell)[-1]})"
    return f"{relation}: {text}"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 1]}…"


def _without_secrets(text: str) -> str:
    """Replace quoted texts in code that are secrets, as in ``api_key="…"``."""
    from pandas_clicdata._models import is_secret_name

    def conceal(found: re.Match[str]) -> str:
        name, between, quote = found["name"], found["between"], found["quote"]
        # A text that is passed as session= by mistake may be a secret. The name may follow the end of a color code.
        secret = is_secret_name(name) or name.endswith("session")
        return f"{name}{between}{quote}***{quote}" if secret else found[0]

    text = _PASSWORD_CALL.sub(lambda call: _QUOTED_TEXT.sub(r"\g<quote>***\g<quote>", call[0]), text)
    return _NAMED_TEXT.sub(conceal, text)
