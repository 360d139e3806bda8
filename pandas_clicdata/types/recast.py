"""``schema=`` of a read: the very dtypes that were pushed, made from the text of a column's values."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pandas_clicdata._models import ColumnType
from pandas_clicdata.types import decode
from pandas_clicdata.types.decode import Landing, arrow_series, own_text_dtype
from pandas_clicdata.types.encode import TEXT, period_of, shown
from pandas_clicdata.types.infer import holds_objects, is_text, texts
from pandas_clicdata.types.ingest import AWARE, NUMBERS, Source, from_series
from pandas_clicdata.types.json_text import from_json, from_plain, json_text
from pandas_clicdata.types.rules import LITERAL_RULE, rule_for

Make = Callable[[pa.ChunkedArray, Landing], "pd.Series[Any]"]

JSON = "values written as JSON"
_BOUNDS = {"left": "[)", "right": "(]", "both": "[]", "neither": "()"}


def held_by(source: Source) -> Any:
    """Of what kind a column's Python objects are, also those that only go as JSON."""
    if source.objects is None:
        return source.holds
    kinds = {type(value) for value in source.objects() if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else None
    return kind if kind in (bytes, complex, UUID) else JSON


def maker(dtype: Any, holds: Any = None) -> Make:
    """Choose the way back into a dtype.

    Raises
    ------
    TypeError, ValueError
        There is none.
    """
    match dtype:
        case pd.CategoricalDtype():
            return _into_category(dtype)
        case pd.SparseDtype():
            dense = maker(dtype.subtype, holds)
            return lambda values, place: dense(values, place).astype(dtype)
        case pd.PeriodDtype():
            return _into_periods(dtype)
        case pd.IntervalDtype():
            return _into_intervals(dtype)
        case pd.ArrowDtype():
            return _into_arrow(dtype)
        case pd.StringDtype():
            return lambda values, place: pd.Series(values.to_pylist(), dtype=dtype)
        case pd.DatetimeTZDtype():
            return _into_ticks(dtype, dtype.unit)
        case np.dtype(kind="O"):
            return _into_objects(holds)
        case np.dtype(kind="U"):
            return lambda values, place: pd.Series(values.to_pylist(), dtype=own_text_dtype())
        case np.dtype(kind="c"):
            make = OF_OBJECTS[complex]
            return lambda values, place: pd.Series(make(values, place), dtype=object).astype(dtype)
        case np.dtype(kind="M" | "m"):
            return _into_ticks(dtype, np.datetime_data(dtype)[0])
    return _into_numbers(dtype)


def _back(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], pa.ChunkedArray]:
    rule = rule_for(arrow_type)
    if rule is None:
        raise TypeError(f"{arrow_type} has no ClicData type")
    return lambda values, place: rule.back(values, arrow_type, place)


def _into_numbers(dtype: Any) -> Make:
    plain = getattr(dtype, "numpy_dtype", dtype)
    if not isinstance(plain, np.dtype) or plain.kind not in "iufb":
        raise TypeError("no such column is ever sent")
    # Arrow has no longdouble.
    back = _back(pa.float64() if plain.itemsize > np.dtype(float).itemsize else pa.from_numpy_dtype(plain))
    nullable = isinstance(dtype, pd.api.extensions.ExtensionDtype)

    def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        array = back(values, place)
        if nullable:
            whole: Any = dtype
            return pd.Series(whole.__from_arrow__(array))
        if plain.kind != "f":
            place.refuse_where(values.is_null(), values, f"is missing, and {dtype} has no missing values.")
        return pd.Series(array.to_numpy().astype(dtype, copy=False))

    return make


def _into_ticks(dtype: Any, unit: str) -> Make:
    back = _back(pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit))
    return lambda values, place: of_ticks(back(values, place), dtype)


def of_ticks(ticks: pa.ChunkedArray, dtype: Any) -> pd.Series[Any]:
    """Moments in UTC, or durations, as a dtype of their unit; by their numbers, which pandas takes from any year."""
    numbers = ticks.cast(pa.int64())
    if isinstance(dtype, pd.ArrowDtype):
        return arrow_series(numbers.cast(dtype.pyarrow_dtype))
    plain = numbers.fill_null(np.iinfo("int64").min).to_numpy()
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = pd.Series(plain.view(f"M8[{dtype.unit}]"))
        return naive.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return pd.Series(plain.view(dtype))


def _into_arrow(dtype: pd.ArrowDtype) -> Make:
    back = _back_into_arrow(dtype.pyarrow_dtype)
    return lambda values, place: arrow_series(back(values, place))


def _back_into_arrow(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], pa.ChunkedArray]:
    if pa.types.is_dictionary(arrow_type):
        inner = _back_into_arrow(arrow_type.value_type)
        return lambda values, place: _in_dictionary(inner(values, place), values).cast(arrow_type)
    if pa.types.is_run_end_encoded(arrow_type):
        inner, ends = _back_into_arrow(arrow_type.value_type), arrow_type.run_end_type
        # Tried on nothing first, for Arrow encodes only some types.
        pc.run_end_encode(pa.array([], arrow_type.value_type), run_end_type=ends)
        return lambda values, place: pc.run_end_encode(inner(values, place), run_end_type=ends)
    return _back(arrow_type) if rule_for(arrow_type) is not None else _back_from_json(arrow_type)


def _in_dictionary(values: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Encode values, which were made of these texts."""
    try:
        return values.dictionary_encode()
    except pa.ArrowNotImplementedError:
        # Arrow does not tell lists apart, nor float16 in pyarrow 16: their texts do.
        known = texts.drop_null().unique()
        dictionary = values.combine_chunks().take(
            pa.array([pc.index(texts, text).as_py() for text in known], pa.int64())
        )
        codes = pc.index_in(texts, known).combine_chunks()
        return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, dictionary)])


def _back_from_json(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], pa.ChunkedArray]:
    value_of, why = from_plain(arrow_type), "is not JSON of it."

    def back(texts: pa.ChunkedArray, place: Landing) -> pa.ChunkedArray:
        made = decode.one_by_one(texts, lambda text: value_of(from_json(text)), arrow_type, place, why)
        # Within lists and structs Arrow cuts what a type does not hold, so what is written of them must be what came.
        for position, (text, value) in enumerate(zip(texts.to_pylist(), made.to_pylist(), strict=True)):
            if text is not None and (value is None or from_json(json_text(value)) != from_json(text)):
                place.refuse(position, text, why)
        return made

    return back


def _into_objects(holds: Any) -> Make:
    if isinstance(holds, pd.PeriodDtype | pd.IntervalDtype):
        made = maker(holds)

        def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
            return _objects([None if pd.isna(value) else value for value in made(values, place)])

        return make
    plain = OF_OBJECTS[holds]
    return lambda values, place: _objects(plain(values, place))


def _objects(values: list[Any]) -> pd.Series[Any]:
    return pd.Series(values, dtype=object)


def _each(one: Callable[[str], Any], why: str) -> Callable[[pa.ChunkedArray, Landing], list[Any]]:
    return lambda values, place: decode.objects(values, one, place, why)


def _by_rule(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], list[Any]]:
    back = _back(arrow_type)

    def make(values: pa.ChunkedArray, place: Landing) -> list[Any]:
        listed: list[Any] = back(values, place).to_pylist()
        return listed

    return make


def _by_number(one: Callable[[str], Any]) -> Callable[[pa.ChunkedArray, Landing], list[Any]]:
    return lambda values, place: decode.objects(
        LITERAL_RULE.back(values, TEXT, place), one, place, "is no number of its kind."
    )


def _aware(values: pa.ChunkedArray, place: Landing) -> list[Any]:
    naive = OF_OBJECTS[dt.datetime](values, place)
    return [None if value is None else value.replace(tzinfo=dt.UTC) for value in naive]


OF_OBJECTS: Mapping[Any, Callable[[pa.ChunkedArray, Landing], list[Any]]] = {
    str: lambda values, place: values.to_pylist(),
    bool: _by_rule(pa.bool_()),
    int: _by_number(decode.whole_python),
    float: _by_rule(pa.float64()),
    Decimal: _by_number(Decimal),
    NUMBERS: _by_number(decode.python_number),
    dt.date: _by_rule(pa.date32()),
    dt.datetime: _by_rule(pa.timestamp("us")),
    AWARE: _aware,
    dt.time: _each(dt.time.fromisoformat, "is no time of day written HH:MM:SS[.ffffff]."),
    dt.timedelta: _each(
        lambda text: pd.Timedelta(decode.duration_ticks(text), "ns"), "is no duration as ISO 8601 writes it."
    ),
    bytes: _each(lambda text: base64.b64decode(from_json(text), validate=True), "is not JSON of bytes."),
    complex: _each(lambda text: complex(from_json(text)), "is not JSON of a complex number."),
    UUID: _each(lambda text: UUID(from_json(text)), "is not JSON of a UUID."),
    JSON: _each(from_json, "is not JSON."),
}


def _into_category(dtype: pd.CategoricalDtype) -> Make:
    make, known = _category_keys(dtype.categories)
    code_of = {each: code for code, each in enumerate(known)}

    def into(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        encoded = values.combine_chunks().dictionary_encode()
        indices = encoded.indices.fill_null(-1).to_numpy()
        first = {code: position for position, code in reversed(list(enumerate(indices.tolist())))}
        written = pa.chunked_array([encoded.dictionary], TEXT)
        found = make(written, Landing(place.column, lambda code: place.label(first[code]), dtype))
        codes = [code_of.get(value, -1) for value in found]
        if -1 in codes:
            code = codes.index(-1)
            place.refuse(first[code], written[code].as_py(), "is none of its categories.")
        return pd.Series(pd.Categorical.from_codes(np.array([*codes, -1])[indices], dtype=dtype))

    return into


def _category_keys(categories: pd.Index[Any]) -> tuple[Any, Sequence[Any]]:
    """What to make of the text of a category to find it, and among what."""
    source = from_series("", pd.Series(categories, dtype=categories.dtype))
    holds = held_by(source)
    if holds == JSON:
        # What it brings back is a list where a category was a tuple.
        return OF_OBJECTS[str], [json_text(each) for each in categories]
    if holds == NUMBERS and source.values is not None:
        # A float and a Decimal of the same text are not equal.
        return OF_OBJECTS[Decimal], [Decimal(numeral) for numeral in source.values.to_pylist()]
    if holds is None and holds_objects(categories.dtype) and source.values is not None:
        # Periods or intervals of several kinds.
        return OF_OBJECTS[str], source.values.to_pylist()
    return maker(categories.dtype, holds), list(categories)


def _into_periods(dtype: Any) -> Make:
    @cache
    def one(text: str) -> pd.Period:
        period = period_of(text, dtype.freq)
        if period is None:
            raise ValueError("is not such a period as pandas writes it.")
        return period

    def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        made = decode.objects(values, one, place, "is not such a period as pandas writes it.")
        return pd.Series(pd.PeriodIndex(made, dtype=dtype))

    return make


def _into_intervals(dtype: Any) -> Make:
    if dtype.subtype is None or dtype.closed is None:
        raise TypeError("it must say of what and where closed, as interval[int64, right] does")
    bounds = _BOUNDS[dtype.closed]
    zone = getattr(dtype.subtype, "tz", None)

    def moment(text: str) -> pd.Timestamp:
        return pd.Timestamp(text) if zone is None else pd.Timestamp(text).tz_convert(zone)

    ends: Mapping[str, Callable[[str], Any]] = {"M": moment, "m": pd.Timedelta, "f": float}
    end = ends.get(dtype.subtype.kind, int)

    @cache
    def one(text: str) -> pd.Interval[Any]:
        left, _, right = text[1:-1].partition(", ")
        if text[:1] + text[-1:] != bounds:
            raise ValueError(f"is not an interval closed {dtype.closed}, as pandas writes it.")
        return pd.Interval(end(left), end(right))

    def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        made = decode.objects(values, one, place, "is not such an interval as pandas writes it.")
        if dtype.subtype.kind in "iu":
            place.refuse_where(values.is_null(), values, f"is missing, and {dtype} has no missing values.")
        lefts, rights = (
            pd.Series([None if each is None else getattr(each, side) for each in made], dtype=object).astype(
                dtype.subtype
            )
            for side in ("left", "right")
        )
        return pd.Series(pd.arrays.IntervalArray.from_arrays(lefts, rights, closed=dtype.closed))

    return make


_HOLDS = "holds"
_OF_TYPE: Mapping[str, Any] = {
    ColumnType.TEXT: str,
    ColumnType.DROPDOWN: str,
    ColumnType.NUMBER: NUMBERS,
    ColumnType.PERCENTAGE: NUMBERS,
    ColumnType.CHECKBOX: bool,
    ColumnType.DATE: dt.date,
    ColumnType.DATETIME: dt.datetime,
}
"""What Python objects a column holds of which no more is known than its ClicData type."""

_ARROW_OF: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    float: pa.float64(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us"),
    AWARE: pa.timestamp("us", "UTC"),
    dt.timedelta: pa.duration("ns"),
    bytes: pa.binary(),
}


@dataclass(frozen=True)
class Home:
    """The dtype that a column is to come home in.

    Attributes
    ----------
    dtype : dtype
        The dtype.
    make : callable
        From the values' text to the column.
    holds : object
        What Python objects it holds, if it does.
    """

    dtype: Any
    make: Make
    holds: Any = None

    @cached_property
    def arrow_type(self) -> pa.DataType | None:
        """What it is among Arrow batches; None for what Arrow has no one type for, and stays text."""
        dtype = _dense_dtype(self.dtype)
        if self.holds is not None:
            return _ARROW_OF.get(self.holds)
        if isinstance(dtype, pd.ArrowDtype):
            return dtype.pyarrow_dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            return _zoned(dtype)
        if isinstance(dtype, pd.CategoricalDtype) and isinstance(dtype.categories.dtype, pd.DatetimeTZDtype):
            # Up to pyarrow 23, Arrow's own type of these has no zone.
            codes = pd.Series([], dtype=dtype).cat.codes.dtype
            return pa.dictionary(pa.from_numpy_dtype(codes), _zoned(dtype.categories.dtype), bool(dtype.ordered))
        try:
            found = pa.array(self._dense(self.series("", pa.chunked_array([], TEXT)))).type
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            return None
        values = found.value_type if pa.types.is_dictionary(found) else found
        return None if isinstance(values, pa.BaseExtensionType) or pa.types.is_null(values) else found

    def series(self, name: str, values: pa.ChunkedArray, first_row: int = 0) -> pd.Series[Any]:
        """Make the column.

        Raises
        ------
        ColumnConversionError
            Of the first value that the dtype does not hold.
        """
        written = values if is_text(values.type) else pa.chunked_array([pa.array(texts(values), TEXT)])
        return self.make(written.cast(TEXT), Landing(name, lambda position: first_row + position, self.dtype))

    def array(self, name: str, values: pa.ChunkedArray, first_row: int) -> pa.Array:
        """Make the column of a batch."""
        if self.arrow_type is None:
            return values.combine_chunks()
        made = pa.array(self._dense(self.series(name, values, first_row)), self.arrow_type)
        return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made

    @staticmethod
    def _dense(series: pd.Series[Any]) -> pd.Series[Any]:
        return pd.Series(series.array.to_dense()) if isinstance(series.dtype, pd.SparseDtype) else series


def _zoned(dtype: pd.DatetimeTZDtype) -> pa.DataType:
    zone = str(dtype.tz)
    return pa.timestamp(dtype.unit, zone if zone in available_timezones() else "UTC")


def told_dtype(source: Source) -> Any:
    """A column's dtype; that of Python objects carries what they are, which its name does not tell."""
    holds = held_by(source) if holds_objects(source.dtype) else None
    return source.dtype if holds is None else np.dtype(object, metadata={_HOLDS: holds})


def homes(schema: Any) -> dict[str, Any]:
    """Return for each column of ``schema=`` its home, or its dtype if that says too little for one.

    Raises
    ------
    TypeError
        It is no schema.
    ValueError
        It names a column twice, or a dtype that pandas does not know or ClicData has nothing of.
    """
    if schema is None:
        return {}
    if isinstance(schema, pd.DataFrame) and {"column", "dtype"} <= {*schema.columns}:
        types = schema["clicdata_type"] if "clicdata_type" in schema.columns else [None] * len(schema)
        entries = list(zip(schema["column"], schema["dtype"], types, strict=True))
    elif isinstance(schema, pa.Schema):
        entries = [(field.name, field.type, None) for field in schema]
    elif isinstance(schema, Mapping | pd.Series):
        entries = [(name, dtype, None) for name, dtype in schema.items()]
    else:
        lacks = " without columns named 'column' and 'dtype'" if isinstance(schema, pd.DataFrame) else ""
        raise TypeError(
            "schema= is what df.clicdata.schema() gives, an Arrow schema, or a dict of column to dtype, not a"
            f" {type(schema).__name__}{lacks}."
        )
    found: dict[str, Any] = {}
    for label, dtype, data_type in entries:
        name = str(label)
        if name in found:
            raise ValueError(f"schema= names column {name!r} twice.")
        try:
            found[name] = _home(_known(dtype), data_type)
        except (TypeError, ValueError, NotImplementedError) as exc:
            do = " Give a dtype itself where its name does not say all of it." if isinstance(dtype, str) else ""
            raise ValueError(
                f"schema= gives column {name!r} the dtype {shown(dtype)}, in which nothing can be read.{do} ({exc})"
            ) from exc
    return found


def _known(dtype: Any) -> Any:
    if dtype is None:
        raise TypeError("pandas would take None for float64")
    if isinstance(dtype, pa.DataType):
        return pd.ArrowDtype(dtype)
    if isinstance(dtype, type) and dtype in OF_OBJECTS and dtype not in (str, int, float, bool, complex, bytes):
        return np.dtype(object, metadata={_HOLDS: dtype})
    return pd.api.types.pandas_dtype(dtype)


def _dense_dtype(dtype: Any) -> Any:
    return dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype


def _home(dtype: Any, data_type: Any) -> Any:
    holds = None
    inner = _dense_dtype(dtype)
    if holds_objects(inner):
        holds = dict(inner.metadata or {}).get(_HOLDS)
        holds = _OF_TYPE.get(data_type) if holds is None else holds
        if holds is None:
            return dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None:
        return dtype
    return Home(dtype, maker(dtype, holds), holds)
