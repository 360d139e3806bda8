"""Draw frames of all types in the type table with hypothesis, with the JSON that each column must be sent as.

The expected JSON is written here by hand, value by value, and shares no code with the package.
"""

import datetime as dt
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

OWN_TEXT = pd.Series([""]).dtype


@dataclass(frozen=True)
class Kind:
    """A kind of column: a strategy for its values, how to store them, and the JSON value of each."""

    data_type: str
    values: st.SearchStrategy
    store: Callable[[list[Any]], Any]
    cell: Callable[[Any], Any] = field(default=lambda value: value)
    nullable: bool = True

    def data_type_of(self, cells):
        """Return the ClicData type; objects without values are text."""
        return "text" if self.store is objects and all(cell is None for cell in cells) else self.data_type


WIDE = Context(prec=200)


def objects(values):
    return pd.Series(values, dtype=object)


def stored_as(dtype):
    return lambda values: pd.Series(values, dtype=dtype)


def in_arrow(arrow_type):
    """Store values as chunks of an Arrow array: slices of longer arrays, one of them empty."""

    def store(values):
        middle = len(values) // 2
        pieces = [values[:middle], [], values[middle:]]
        spare = next((value for value in values if value is not None), None)
        sliced = [pa.array([spare, *piece, spare], arrow_type).slice(1, len(piece)) for piece in pieces]
        return pa.chunked_array(sliced, arrow_type)

    return store


def in_dictionary(index, value):
    def store(values):
        words = list(dict.fromkeys(item for item in values if item is not None))
        codes = [None if item is None else words.index(item) for item in values]
        # With an unused value and a value that occurs twice.
        dictionary = pa.array([*words, *words[:1], None], value)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(codes, index), dictionary)])

    return store


def in_categories(ordered, unused):
    def store(values):
        categories = list(dict.fromkeys(item for item in values if item is not None))
        categories = categories[::-1] + [item for item in unused if item not in categories]
        dtype = object if any(isinstance(item, str | Decimal | dt.date) for item in categories) else None
        return pd.Series(pd.Categorical(values, pd.Index(categories, dtype=dtype), ordered=ordered))

    return store


def sparse(fill, dtype):
    def store(values):
        dense = np.array([np.nan if value is None else value for value in values], dtype)
        return pd.Series(pd.arrays.SparseArray(dense, fill_value=fill))

    return store


def in_zone(unit, zone):
    def store(values):
        naive = pd.Series(values, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert(zone)
        return naive.astype(pd.DatetimeTZDtype(unit, zone))

    return store


def in_ticks(arrow_type):
    bits = pa.int32() if arrow_type.bit_width == 32 else pa.int64()

    def store(values):
        return pa.chunked_array([pa.array(values, bits).cast(arrow_type)])

    return store


# JSON values: a whole number is an int, another number a Decimal


def written(number):
    """Return the JSON number of an int, a float or a Decimal."""
    if isinstance(number, Decimal):
        text = str(number)
        return int(text) if text.lstrip("-").isdigit() else number
    if isinstance(number, float | np.floating):
        fraction = isinstance(number, np.float16 | np.float32) and not float(number).is_integer()
        return Decimal(str(number) if fraction else repr(float(number)))
    return int(number)


def single(value):
    return written(np.float32(value))


def scaled(scale):
    return lambda value: written(Decimal(format(Decimal(value).quantize(Decimal(1).scaleb(-scale), context=WIDE), "f")))


def span(value):
    return pd.Timedelta(value).isoformat()


def duration_of(unit):
    return lambda ticks: np.timedelta64(ticks, unit)


def durations_in(unit):
    nat = np.timedelta64("NaT", unit)
    return lambda values: pd.Series(np.array([nat if v is None else v for v in values], f"m8[{unit}]"))


def span_of(unit):
    return lambda ticks: span(np.timedelta64(ticks, unit))


def period_of(freq):
    return lambda n: pd.Period(ordinal=n, freq=freq)


def clock(per_second):
    """Return a function from ticks to a time of day."""

    def text(ticks):
        seconds, fraction = divmod(Fraction(ticks, per_second), 1)
        nanos = int(fraction * 10**9)
        shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        digits = f".{nanos // 1000:06}" if nanos % 1000 == 0 else f".{nanos:09}"
        return shown + (digits if nanos else "")

    return text


def instant(moment):
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def plain_moment(value):
    value = value.astype("M8[us]").item() if isinstance(value, np.datetime64) else value
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


ALL_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
LOOKS_LIKE = st.sampled_from(
    [
        "",
        "null",
        "NaN",
        "None",
        "true",
        "1",
        "00123",
        "1e5",
        "-0",
        "2013-01-01",
        "2013-01-01 00:00:00",
        "P1D",
        '"',
        "\\",
    ]
)
TEXT = ALL_TEXT | LOOKS_LIKE
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([5e-324, 1.7e308, -0.0, 0.1, 1e-12, 1e22])
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
HALF = st.floats(width=16, allow_nan=False, allow_infinity=False)
EDGES = [2**n + d for n in (0, 8, 31, 32, 53, 63, 64) for d in (-1, 0, 1)]
LONG_INTS = st.integers() | st.sampled_from([*EDGES, *(-edge for edge in EDGES)]) | st.integers(-(10**90), 10**90)
MOMENTS = st.datetimes() | st.datetimes(dt.datetime(2013, 1, 1), dt.datetime(2013, 1, 2))
SECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
MILLIS = MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
RECENT = st.datetimes(dt.datetime(1677, 9, 22), dt.datetime(2262, 4, 11))
IN_UNITS = {"s": SECONDS, "ms": MILLIS, "us": MOMENTS, "ns": RECENT}
# Days from both ends, because an offset must not lead beyond the years 1 to 9999.
INNER = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29))
ZONES = [dt.UTC, ZoneInfo("Europe/Paris"), ZoneInfo("America/St_Johns"), dt.timezone(dt.timedelta(minutes=-61))]
AWARE = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), INNER, st.sampled_from(ZONES))
WITHIN = {"s": 9 * 10**9, "ms": 9 * 10**12, "us": 9 * 10**15, "ns": 9 * 10**18}
TICKS_A_DAY = {unit: 86_400 * times for unit, times in {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}.items()}
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, WIDE),
    st.integers(-(10**76), 10**76),
    st.integers(-90, 20),
)


def integers(bits):
    info = np.iinfo(bits.lower())
    return st.integers(int(info.min), int(info.max)) | st.sampled_from([int(info.min), int(info.max), 0])


def decimals(precision, scale):
    largest = 10**precision - 1
    return st.integers(-largest, largest).map(lambda digits: Decimal(digits).scaleb(-scale, WIDE))


NUMPY_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NULLABLE_INTS = tuple(name.replace("int", "Int").replace("uI", "UI") for name in NUMPY_INTS)
SCALAR_NUMBERS = st.one_of(
    LONG_INTS,
    FINITE,
    integers("int64").map(np.int64),
    integers("uint8").map(np.uint8),
    FINITE.map(np.float64),
    SINGLE.map(np.float32),
    DECIMALS,
)


def mixed_number(value):
    """Return the JSON number of an object; of a float32, the digits that it has as a float."""
    return written(float(value)) if isinstance(value, np.floating) else written(value)


PANDAS = {
    **{name: Kind("number", integers(name), stored_as(name), nullable=False) for name in NUMPY_INTS},
    **{name: Kind("number", integers(name), stored_as(name)) for name in NULLABLE_INTS},
    **{name: Kind("number", FINITE, stored_as(name), written) for name in ("float64", "Float64")},
    **{name: Kind("number", SINGLE, stored_as(name), single) for name in ("float32", "Float32")},
    "float16": Kind("number", HALF, stored_as("float16"), lambda value: written(np.float16(value))),
    "objects of int": Kind("number", LONG_INTS, objects),
    "objects of Decimal": Kind("number", DECIMALS, objects, written),
    "objects of numbers": Kind("number", SCALAR_NUMBERS, objects, mixed_number),
    "sparse int": Kind("number", integers("int32"), sparse(0, "int32"), nullable=False),
    "sparse float": Kind("number", FINITE, sparse(np.nan, float), written),
    "sparse float about 0": Kind("number", FINITE.map(lambda value: value + 0.0), sparse(0.0, float), written),
    "categories of int": Kind("number", integers("int64"), in_categories(True, [7, -7])),
    "categories of float": Kind("number", FINITE.map(lambda value: value + 0.0), in_categories(False, [0.5]), written),
    "categories of Decimal": Kind("number", decimals(9, 3), in_categories(False, [Decimal(5)]), written),
    "bool": Kind("checkbox", st.booleans(), stored_as("bool"), nullable=False),
    "boolean": Kind("checkbox", st.booleans(), stored_as("boolean")),
    "sparse bool": Kind("checkbox", st.booleans(), sparse(False, bool), nullable=False),
    "objects of bool": Kind("checkbox", st.booleans() | st.booleans().map(np.bool_), objects, bool),
    "str": Kind("text", TEXT, stored_as("str"), nullable=str(OWN_TEXT) == "str"),
    "string": Kind("text", TEXT, stored_as("string")),
    "string[pyarrow]": Kind("text", TEXT, stored_as("string[pyarrow]")),
    "objects of str": Kind("text", TEXT | TEXT.map(np.str_), objects, str),
    "categories of text": Kind("text", TEXT, in_categories(False, ["unused", ""])),
    "ordered categories": Kind("text", TEXT, in_categories(True, ["unused"])),
    **{
        f"datetime64[{unit}]": Kind("datetime", moments, stored_as(f"datetime64[{unit}]"))
        for unit, moments in IN_UNITS.items()
    },
    **{
        f"datetime64[{unit}, {zone}]": Kind("datetime", moments, in_zone(unit, zone))
        for unit, zone, moments in (
            ("s", "Europe/Paris", INNER.map(lambda moment: moment.replace(microsecond=0))),
            ("ms", "UTC", MILLIS), ("us", "America/New_York", INNER), ("ns", "+05:45", RECENT),
        )
    },
    "objects of datetime": Kind(
        "datetime",
        MOMENTS | RECENT.map(pd.Timestamp) | SECONDS.map(lambda m: np.datetime64(m, "s")),
        objects,
        plain_moment,
    ),
    "objects of zoned datetime": Kind("datetime", AWARE, objects, instant),
    "categories of datetime": Kind("datetime", RECENT, in_categories(True, [dt.datetime(2024, 2, 29)])),
    "objects of date": Kind("date", st.dates(), objects),
    "categories of date": Kind("date", st.dates(), in_categories(False, [dt.date(2024, 2, 29)])),
    "objects of time": Kind("text", st.times(), objects, dt.time.isoformat),
    **{
        f"timedelta64[{unit}]": Kind(
            "text",
            st.integers(-most, most).map(duration_of(unit)),
            durations_in(unit),
            span,
        )
        for unit, most in WITHIN.items()
    },
    "objects of timedelta": Kind(
        "text", st.timedeltas(dt.timedelta(-90_000), dt.timedelta(90_000)), objects, span
    ),
    **{
        f"period[{freq}]": Kind(
            "text",
            st.integers(-400, 4000).map(period_of(freq)),
            stored_as(f"period[{freq}]"),
            str,
        )
        for freq in ("D", "M", "W-SUN", "s")
    },
    "objects of Period": Kind(
        "text", st.integers(0, 99).map(lambda n: pd.Period(ordinal=n, freq="D")), objects, str
    ),
    "interval of float": Kind(
        "text",
        st.integers(-9, 9).map(lambda n: pd.Interval(n / 4, n / 4 + 1)),
        lambda values: pd.Series(pd.arrays.IntervalArray(values, dtype="interval[float64, right]")),
        str,
    ),
    "nothing": Kind("text", st.none(), objects),
}  # fmt: skip

ARROW = {
    **{
        str(arrow_type): Kind("number", integers(str(arrow_type)), in_arrow(arrow_type))
        for arrow_type in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64())
    },
    "float": Kind("number", SINGLE, in_arrow(pa.float32()), single),
    "double": Kind("number", FINITE, in_arrow(pa.float64()), written),
    **{
        f"decimal({precision}, {scale})": Kind(
            "number", decimals(precision, scale), in_arrow(make(precision, scale)), scaled(scale)
        )
        for make, precision, scale in (
            (pa.decimal128, 38, 10), (pa.decimal128, 5, 2), (pa.decimal128, 38, 38), (pa.decimal256, 76, 0),
            (pa.decimal256, 76, 40),
        )
    },
    "bool ": Kind("checkbox", st.booleans(), in_arrow(pa.bool_())),
    "utf8": Kind("text", TEXT, in_arrow(pa.string())),
    "large_utf8": Kind("text", TEXT, in_arrow(pa.large_string())),
    "dictionary of text": Kind("text", TEXT, in_dictionary(pa.int8(), pa.string())),
    "dictionary of large text": Kind("text", TEXT, in_dictionary(pa.int32(), pa.large_string())),
    "dictionary of int": Kind("number", integers("int64"), in_dictionary(pa.int16(), pa.int64())),
    **{
        f"timestamp[{unit}]": Kind("datetime", moments, in_arrow(pa.timestamp(unit)))
        for unit, moments in IN_UNITS.items()
    },
    **{
        f"timestamp[{unit}, Asia/Tokyo]": Kind("datetime", moments, in_arrow(pa.timestamp(unit, "Asia/Tokyo")))
        for unit, moments in IN_UNITS.items()
    },
    "date32": Kind("date", st.dates(), in_arrow(pa.date32())),
    "date64": Kind("date", st.dates(), in_arrow(pa.date64())),
    **{
        str(arrow_type): Kind(
            "text",
            st.integers(0, TICKS_A_DAY[arrow_type.unit] - 1),
            in_ticks(arrow_type),
            clock(TICKS_A_DAY[arrow_type.unit] // 86_400),
        )
        for arrow_type in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    },
    **{
        f"duration[{unit}]": Kind(
            "text",
            st.integers(-most, most),
            in_ticks(pa.duration(unit)),
            span_of(unit),
        )
        for unit, most in WITHIN.items()
    },
    "null": Kind("text", st.none(), in_arrow(pa.null())),
}  # fmt: skip


def arrow_series(values):
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def as_arrow_series(store):
    return lambda values: arrow_series(store(values))


PANDAS |= {
    f"ArrowDtype {name}": Kind(
        kind.data_type,
        kind.values,
        as_arrow_series(kind.store),
        kind.cell,
        kind.nullable,
    )
    for name, kind in ARROW.items()
}

# names, indexes, and memory layouts

ODD_NAMES = ["id", "rec_id", "index", "level_0", ".", "a.b", "[a]", "'", '"', "\\", "null", "value", "column", "é",
             "😀", "א", "%s", "{0}", "$", "a" * 255, "\x00", " a", "b ", "a\nb", "None", "0"]  # fmt: skip
ONE_NAME = st.sampled_from([*string.ascii_letters, *ODD_NAMES]) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=5
)
ANY_NAMES = ONE_NAME | st.integers(-1, 3) | st.integers(0, 3).map(np.int64)
NAMES = ANY_NAMES.filter(lambda name: str(name).strip() != "")


def folded(name):
    return str(name).strip().casefold()


INDEXES = ["int64", "Int64", "str", "string", "categories of text", "datetime64[ns]",
           "datetime64[us, America/New_York]", "timedelta64[ns]", "period[D]", "bool", "objects of date", "float64",
           "ArrowDtype utf8", "objects of datetime", "objects of numbers"]  # fmt: skip
LEVELS = ["int64", "str", "categories of text", "datetime64[ns]", "period[D]"]


@dataclass(frozen=True)
class Case:
    """A frame, whether its index is sent, and the names, types and cells of its columns in ClicData."""

    frame: Any
    index: bool
    columns: list[tuple[str, str, list[Any]]]

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))

    def __repr__(self):
        in_pandas = isinstance(self.frame, pd.DataFrame)
        shown = self.frame.to_dict("list") if in_pandas else self.frame.to_pydict()
        types = map(str, self.frame.dtypes if in_pandas else self.frame.schema.types)
        return f"{shown!r} of {', '.join(types)}, index={self.frame.index if self.index else None!r}"


@st.composite
def columns(draw, kinds, height):
    """Draw a kind of column, its stored values and its cells."""
    kind = kinds[draw(st.sampled_from(sorted(kinds)))]
    some_null = kind.nullable and draw(st.booleans())
    values = draw(st.lists(st.none() | kind.values if some_null else kind.values, min_size=height, max_size=height))
    return kind, kind.store(values), [None if value is None else kind.cell(value) for value in values]


@st.composite
def cases(draw):
    height = draw(st.integers(0, 5))
    width = draw(st.integers(1, 4))
    names = draw(st.lists(NAMES, min_size=width, max_size=width, unique_by=folded))
    if draw(st.integers(0, 5)) == 0:
        drawn = [draw(columns(ARROW, height)) for _ in names]
        table = pa.table([stored for _, stored, _ in drawn], names=[str(name) for name in names])
        return Case(
            table,
            False,
            [(str(n), kind.data_type_of(cells), cells) for n, (kind, _, cells) in zip(names, drawn, strict=True)],
        )
    if draw(st.integers(0, 9)) == 0:
        # One block, transposed.
        kind = PANDAS[draw(st.sampled_from(["int8", "int64", "float64", "bool", "datetime64[us]"]))]
        drawn = [draw(columns({"": kind}, height)) for _ in names]
        frame = (
            pd.DataFrame([stored.to_numpy() for _, stored, _ in drawn], dtype=drawn[0][1].dtype).T if height else None
        )
    else:
        drawn = [draw(columns(PANDAS, height)) for _ in names]
        frame = None
    if frame is None:
        frame = pd.concat([stored for _, stored, _ in drawn], axis=1)
    frame.columns = pd.Index(names, dtype=object)
    listed = [(str(n), kind, cells) for n, (kind, _, cells) in zip(names, drawn, strict=True)]
    frame, index = draw(indexed(frame, listed))
    step = draw(st.sampled_from([slice(None), slice(None, None, 2), slice(None, None, -1), slice(1, None)]))
    frame = frame.iloc[step]
    if draw(st.booleans()):
        frame.attrs = {"source": "a sensor", "units": [1, np.arange(2)]}
    return Case(frame, index, [(name, kind.data_type_of(cells[step]), cells[step]) for name, kind, cells in listed])


@st.composite
def indexed(draw, frame, listed):
    """Give a frame an index; if it is sent, its levels are the first columns."""
    levels = draw(st.sampled_from([0, 0, 1, 1, 2]))
    if levels == 0:
        return frame, False
    kinds = {name: PANDAS[name] for name in (INDEXES if levels == 1 else LEVELS)}
    drawn = [draw(columns(kinds, len(frame))) for _ in range(levels)]
    taken = {folded(name) for name in frame.columns}
    named = draw(st.lists(st.none() | NAMES, min_size=levels, max_size=levels))
    sent = []
    for level, name in enumerate(named):
        # As reset_index names the levels.
        own = name if name is not None else f"level_{level}" if levels > 1 or "index" in frame.columns else "index"
        if folded(own) in taken:
            own = name = f"level {uuid.UUID(int=level)}"
            named[level] = name
        taken.add(folded(own))
        sent.append(str(own))
    made = [pd.Index(stored.array, dtype=stored.dtype) for _, stored, _ in drawn]
    with_index = frame.set_axis(made[0] if levels == 1 else pd.MultiIndex.from_arrays(made))
    with_index.index.names = named
    index = draw(st.booleans())
    if index:
        listed[:0] = [(n, kind, cells) for n, (kind, _, cells) in zip(sent, drawn, strict=True)]
    return with_index, index
