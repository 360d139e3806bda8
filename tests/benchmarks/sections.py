"""The comparisons, each of which gives a table, and figures for the limits and the plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import contenders
from contenders import NO_NETWORK, OURS, PLAIN, REQUESTS, WRAPPER
from measuring import Bench, Case, Contender, Figures
from service import PAGE_ROWS

_REPLY_SECONDS = 0.05
_WORKS = ("push", "read")
_DIALECTS = ("versioned", "unversioned")
_NAMES = {
    "flights": "flights", "text": "19 texts", "float": "19 floats", "datetime": "19 datetimes", "wide": "300 columns",
}  # fmt: skip
_PER_REQUEST = {"push": contenders.INSERT_ROWS, "read": PAGE_ROWS}


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes
    ----------
    rows : int
        Rows of a comparison of processor time.
    kind_rows, wide_rows : int
        Rows of the other kinds of frames, and of the one of 300 columns.
    dialects, kind_dialects : sequence of str
        The dialects in which processor time is compared, and those in which all kinds of frames are.
    late_rows : int
        Rows where each reply takes some time.
    ceiling_rows : int
        Rows where the limit is a share of the ceiling: so many that the first requests of a call, which come one after
        the other, hardly count.
    delays : sequence of float
        Seconds per reply.
    workers : sequence of int
        Requests at a time.
    seconds : float
        About how long a round with late replies takes.
    sizes, memory_sizes : sequence of int
        Rows of frames of growing size.
    """

    rows: int
    kind_rows: int
    wide_rows: int
    dialects: Sequence[str]
    kind_dialects: Sequence[str]
    late_rows: int
    ceiling_rows: int
    delays: Sequence[float]
    workers: Sequence[int]
    seconds: float
    sizes: Sequence[int]
    memory_sizes: Sequence[int]


TINY = Scale(
    rows=600,
    kind_rows=600,
    wide_rows=60,
    dialects=_DIALECTS[1:],
    kind_dialects=_DIALECTS[:1],
    late_rows=600,
    ceiling_rows=600,
    delays=(0.001,),
    workers=(1,),
    seconds=0.001,
    sizes=(500, 1000),
    memory_sizes=(500, 1000),
)
QUICK = Scale(
    rows=100_000,
    kind_rows=10_000,
    wide_rows=1_000,
    dialects=_DIALECTS,
    kind_dialects=_DIALECTS[:1],
    late_rows=160_000,
    ceiling_rows=640_000,
    delays=(_REPLY_SECONDS,),
    workers=(1, 4, 8, 16),
    seconds=1,
    sizes=(10_000, 100_000),
    memory_sizes=(50_000, 200_000),
)
FULL = Scale(
    rows=200_000,
    kind_rows=50_000,
    wide_rows=5_000,
    dialects=_DIALECTS,
    kind_dialects=_DIALECTS,
    late_rows=336_000,
    ceiling_rows=640_000,
    delays=(0, _REPLY_SECONDS, 0.2),
    workers=(1, 4, 8, 16),
    seconds=2,
    sizes=(10_000, 100_000, 1_000_000, 3_000_000),
    memory_sizes=(100_000, 400_000, 1_000_000),
)


@dataclass(frozen=True)
class Limit:
    """A figure and its limit.

    Attributes
    ----------
    work, limit, figure : str
        Texts for the table.
    kept : bool
        Whether the figure is within the limit.
    """

    work: str
    limit: str
    figure: str
    kept: bool


@dataclass(frozen=True)
class Section:
    """One table of the page.

    Attributes
    ----------
    title, text : str
        The heading, and what the table shows.
    head : sequence of str
        The heads of the columns.
    rows : sequence of sequence of str
        The cells.
    limits : sequence of Limit
        The figures of this section that have a limit.
    plotted : dict
        Series of points or bars for the plot.
    """

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    limits: Sequence[Limit] = ()
    plotted: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def table(self) -> str:
        """Return the table in Markdown."""
        return markdown(self.head, self.rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor_time(bench: Bench, scale: Scale) -> Section:
    """Compare the processor time per row with that of the other ways."""
    rows, limits, bars = [], [], {}
    for work in _WORKS:
        bars[work] = []
        for dialect in scale.dialects:
            sides = [_side(name) for name in (OURS, PLAIN, REQUESTS)]
            if bench.wrapper and dialect == "unversioned":
                sides.append(_side(WRAPPER))
            found = bench.compare(Case(work, scale.rows, dialect=dialect), sides)
            ours, wrapper = found[OURS], found.get(WRAPPER)
            plain = ours.times(found[PLAIN])
            row = [f"{work}, {dialect}", *(_rate(found[name]) for name in (OURS, PLAIN, REQUESTS))]
            rows.append([*row, _rate(wrapper) if wrapper else "", f"{plain:.2f}", ""])
            least = 2.5 if work == "push" else 1.4
            limits.append(_at_least(f"{work}, {dialect}: times the plain loop", least, plain))
            bars[work].append((f"{OURS}, {dialect}", ours.rate()))
            bars[work].append((f"{PLAIN}, {dialect}", found[PLAIN].rate()))
            if wrapper:
                ratio, least = ours.times(wrapper), 12 if work == "push" else 3
                rows[-1][-1] = f"{ratio:.1f}"
                limits.append(_at_least(f"{work}, {dialect}: times the public wrapper", least, ratio))
                bars[work].append(("public wrapper", wrapper.rate()))
    text = (
        f"Rows per second of processor time of the client process, {scale.rows:,} rows of 19 columns, replies without"
        " delay. `requests alone` sends the same constant body again and again, or throws the bytes of a page away. The"
        " public wrapper speaks only the unversioned dialect; it is given 500 rows at a time, and what its user"
        " converts first is not measured."
    )
    head = ["work", "this package", "plain loop", "requests alone", "wrapper", "times plain", "times wrapper"]
    return Section("Processor time", text, head, rows, limits, bars)


def kinds_of_frames(bench: Bench, scale: Scale) -> Section:
    """Compare frames of other types and of many columns."""
    rows = []
    for work in _WORKS:
        for dialect in scale.kind_dialects:
            for kind, name in list(_NAMES.items())[1:]:
                count = scale.wide_rows if kind == "wide" else scale.kind_rows
                rows.append(_kind_row(bench, Case(work, count, kind, dialect), f"{work}, {dialect}, {name}"))
    case = Case("read", scale.kind_rows, listed=False)
    rows.append(_kind_row(bench, case, "read, versioned, flights, columns not listed"))
    text = (
        "Rows per second of processor time for frames of one type, and for 300 columns (100 of integers, of floats and"
        " of texts each). The service lists the columns and their types beside the rows of a page, except in the last"
        " row of the table. The plain loop leaves datetimes as texts."
    )
    return Section(
        "Types and columns", text, ["work", "this package", "plain loop", "requests alone", "times plain"], rows
    )


def _kind_row(bench: Bench, case: Case, name: str) -> list[str]:
    found = bench.compare(case, [_side(OURS), _side(PLAIN), _side(REQUESTS)])
    return [name, *(_rate(found[each]) for each in (OURS, PLAIN, REQUESTS)), f"{found[OURS].times(found[PLAIN]):.2f}"]


def late_replies(bench: Bench, scale: Scale) -> Section:
    """Measure rows per second of the clock, with replies that take long."""
    rows, points = [], {}
    for work in _WORKS:
        for delay in scale.delays:
            cells = []
            for workers in scale.workers:
                count = scale.rows
                if delay:
                    # As many as arrive in the time of a round, so that what a call needs once does not dominate.
                    count = int(workers * _PER_REQUEST[work] / delay * scale.seconds)
                    count = max(500, min(scale.late_rows, count))
                case = Case(work, count, delay=delay)
                sides = [_side(OURS, workers=workers)]
                if workers == 1:
                    sides.append(_side(PLAIN))
                found = bench.compare(case, sides)
                if workers == 1:
                    cells.append(_rate(found[PLAIN], "wall"))
                cells.append(_rate(found[OURS], "wall"))
                if delay == _REPLY_SECONDS:
                    points.setdefault(f"{work} at 50 ms", []).append((str(workers), found[OURS].rate("wall")))
            rows.append([f"{work}, {1000 * delay:.0f} ms", *cells])
    text = (
        "Rows per second of the clock, with `workers=` requests at a time. A push includes the search for the name and"
        f" the creation of the table. {_reading_note()}"
    )
    head = ["work, time per reply", "plain loop", *(f"workers={workers}" for workers in scale.workers)]
    return Section("Late replies", text, head, rows, plotted=points)


def ceilings(bench: Bench, scale: Scale) -> Section:
    """Compare with the lower of what the replies allow and what one core can do."""
    rows, limits = [], []
    for work, workers in (("push", 8), ("push", 16), ("read", 8)):
        alone = {"journal": False} if work == "push" else {}
        sides = [_side(OURS, workers=workers), _side(NO_NETWORK, workers=1, **alone)]
        found = bench.compare(Case(work, scale.ceiling_rows, delay=_REPLY_SECONDS), sides)
        of_replies = workers * _PER_REQUEST[work] / _REPLY_SECONDS
        share = found[OURS].share(found[NO_NETWORK], of_replies)
        name = f"{work}, 50 ms, {workers} workers"
        rate, core = _rate(found[OURS], "wall"), _rate(found[NO_NETWORK], "wall")
        rows.append([name, rate, f"{of_replies:,.0f}", core, f"{share:.0%}"])
        limits.append(Limit(f"{name}: share of the ceiling", "at least 85 %", f"{share:.0%}", share >= 0.85))
    text = (
        f"Rows per second of the clock, {scale.ceiling_rows:,} rows. The ceiling is the lower of two: `workers`"
        " requests every 50 ms, and what one core can encode or decode, which is the same call with replies from"
        " memory in the same run. A push of few rows reaches a smaller share, because the search for the name and the"
        f" creation of the table are requests one after the other. {_reading_note()}"
    )
    head = ["work", "this package", "ceiling of replies", "ceiling of one core", "share"]
    return Section("Ceilings", text, head, rows, limits)


def journal(bench: Bench, scale: Scale) -> Section:
    """Measure what the journal costs."""
    case = Case("push", scale.late_rows // 2, delay=_REPLY_SECONDS)
    sides = [_side("default", OURS, workers=8), _side("none", OURS, workers=8, journal=False)]
    found = bench.compare(case, sides)
    cost = found["none"].times(found["default"], "wall") - 1
    cells = ["50 ms, 8 workers", _rate(found["default"], "wall"), _rate(found["none"], "wall"), f"{cost:+.1%}"]
    text = f"Rows per second of the clock of a push of {case.rows:,} rows, with the default journal and without one."
    limit = Limit("default journal at 50 ms: additional time", "at most 5 %", f"{cost:+.1%}", cost <= 0.05)
    return Section("Journal", text, ["work", "with", "without", "additional time"], [cells], [limit])


def sizes(bench: Bench, scale: Scale) -> Section:
    """Measure the cost of a row in frames of growing size."""
    columns: list[list[str]] = [[f"{size:,}" for size in scale.sizes]]
    limits = []
    for work in _WORKS:
        found = list(bench.alternate({f"{size:,}": (Case(work, size), _side(OURS)) for size in scale.sizes}).values())
        ratios = [found[0].times(each) for each in found]
        columns += [[f"{1e6 / each.rate():.2f}" for each in found], [f"{ratio:.2f}" for ratio in ratios]]
        name = f"{work} of {columns[0][-1]} rows: cost of a row, times that of {columns[0][0]}"
        limits.append(Limit(name, "at most 1.1", f"{ratios[-1]:.2f}", ratios[-1] <= 1.1))
    text = "Microseconds of processor time per row, and the ratio to the smallest frame."
    rows = list(zip(*columns, strict=True))
    return Section("Size", text, ["rows", "push", "ratio", "read", "ratio"], rows, limits)


def memory(bench: Bench, scale: Scale) -> Section:
    """Measure the memory beside the frame, each in its own process."""
    rows, beside, streams, times = [], [], [], []
    for kind, size in _memory_cases(scale):
        push = bench.alone(Case("push", size, kind), _side(OURS))
        read = bench.alone(Case("read", size, kind), _side(OURS))
        if any(each["peak"] is None for each in push.rounds):
            return Section("Memory", "This system does not tell the peak memory of a process.", ["rows"], [])
        beside.append(push.median("peak") / 1e6)
        times.append(read.median("peak") / read.median("frame"))
        stream = ""
        if kind == "flights":
            streams.append(bench.alone(Case("stream", size), _side(OURS)).median("peak") / 1e6)
            stream = f"{streams[-1]:.0f} MB"
        frame = f"{read.median('frame') / 1e6:.0f} MB"
        rows.append([f"{size:,}, {_NAMES[kind]}", f"{beside[-1]:.0f} MB", stream, frame, f"{times[-1]:.2f}"])
    growth, largest = streams[-1] - streams[0], max(times[len(streams) - 1 :])
    limits = [
        Limit("push: memory beside the frame", "at most 60 MB", f"{max(beside):.0f} MB", max(beside) <= 60),
        Limit("stream: growth of the peak", "at most 10 MB", f"{growth:+.0f} MB", growth <= 10),
        Limit("read of the largest frames: peak, times the frame", "at most 2.2", f"{largest:.2f}", largest <= 2.2),
    ]
    text = (
        "The highest memory of the process beside what it held when the call began: for a push of a frame, for a push"
        f" of a stream of batches of {contenders.STREAM_ROWS:,} rows, and for a read as a multiple of the frame that it"
        " returns. Each figure is of processes that do nothing else."
    )
    return Section("Memory", text, ["rows", "push", "stream", "frame read", "read, times the frame"], rows, limits)


def _memory_cases(scale: Scale) -> Iterator[tuple[str, int]]:
    yield from (("flights", size) for size in scale.memory_sizes)
    yield from ((kind, scale.memory_sizes[-1] // (10 if kind == "wide" else 1)) for kind in _NAMES if kind != "flights")


def import_time(bench: Bench, _scale: Scale) -> Section:
    """Measure the import beside that of pandas, pyarrow and requests."""
    cpu, wall = (1000 * seconds for seconds in bench.import_seconds())
    cells = ["import pandas_clicdata", f"{cpu:.0f} ms", f"{wall:.0f} ms"]
    text = "The time beyond `import pandas, pyarrow, requests`, the median of pairs of processes."
    limit = Limit("import: processor time", "at most 80 ms", f"{cpu:.0f} ms", cpu <= 80)
    return Section("Import", text, ["", "processor", "clock"], [cells], [limit])


SECTIONS: dict[str, Callable[[Bench, Scale], Section]] = {
    "processor": processor_time,
    "kinds": kinds_of_frames,
    "late": late_replies,
    "ceilings": ceilings,
    "journal": journal,
    "sizes": sizes,
    "memory": memory,
    "import": import_time,
}


def _side(name: str, contender: str = "", **options: object) -> Contender:
    return Contender(name, contender or name, options)


def _rate(figures: Figures, key: str = "cpu") -> str:
    return f"{figures.rate(key):,.0f}"


def _at_least(work: str, least: float, figure: float) -> Limit:
    return Limit(work, f"at least {least:g}", f"{figure:.2f}", figure >= least)


def _reading_note() -> str:
    return "" if contenders.reads_pages_at_once() else "A read has one page requested ahead, whatever `workers=` is."
