"""From a column's text back into a dtype of pandas: all that the door takes in, by the type table's way back."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa

from pandas_clicdata.schema import landing
from pandas_clicdata.schema.jsontext import from_json, json_text
from pandas_clicdata.schema.landing import MISFITS, Landing
from pandas_clicdata.schema.sources import AWARE, NUMBERS, from_series
from pandas_clicdata.schema.types import LITERAL_RULE, rule_for
from pandas_clicdata.schema.values import TEXT

Make = Callable[[pa.ChunkedArray, Landing], "pd.Series[Any]"]

JSON = "values written as JSON"
_OWN_TEXT_DTYPE = pd.Series([""]).dtype
_BOUNDS = {"left": "[)", "right": "(]", "both": "[]", "neither": "()"}


def json_kind(objects: Any) -> Any:
    """Of what kind Python objects are that were written as JSON."""
    kinds = {type(value) for value in objects if value is not None}
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
            dense = maker(dtype.subtype, str if dtype.subtype.kind == "O" else None)
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
            naive = maker(np.dtype(f"M8[{dtype.unit}]"))
            return lambda values, place: naive(values, place).dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
        case np.dtype(kind="O"):
            return _into_objects(holds)
        case np.dtype(kind="U"):
            return lambda values, place: pd.Series(values.to_pylist(), dtype=_OWN_TEXT_DTYPE)
        case np.dtype(kind="c"):
            make = OF_OBJECTS[complex]
            return lambda values, place: pd.Series(make(values, place), dtype=object).astype(dtype)
        case np.dtype(kind="M" | "m"):
            return _into_ticks(dtype)
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


def _into_ticks(dtype: Any) -> Make:
    unit = np.datetime_data(dtype)[0]
    back = _back(pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit))

    def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        ticks = back(values, place).cast(pa.int64()).fill_null(np.iinfo("int64").min)
        return pd.Series(ticks.to_numpy().view(dtype))

    return make


def _into_arrow(dtype: pd.ArrowDtype) -> Make:
    back = _back_into_arrow(dtype.pyarrow_dtype)
    return lambda values, place: pd.Series(pd.arrays.ArrowExtensionArray(back(values, place)))


def _back_into_arrow(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], pa.ChunkedArray]:
    if pa.types.is_dictionary(arrow_type):
        inner = _back_into_arrow(arrow_type.value_type)
        return lambda values, place: inner(values, place).dictionary_encode().cast(arrow_type)
    if rule_for(arrow_type) is not None:
        return _back(arrow_type)

    def back(values: pa.ChunkedArray, place: Landing) -> pa.ChunkedArray:
        return landing.one_by_one(
            values, lambda text: _from_plain(from_json(text), arrow_type), arrow_type, place, "is not JSON of it."
        )

    return back


def _from_plain(value: Any, arrow_type: pa.DataType) -> Any:
    """What JSON text holds of an Arrow value, as the value that it was written from."""
    is_ = pa.types
    if value is None:
        return None
    if is_.is_list(arrow_type) or is_.is_large_list(arrow_type) or is_.is_fixed_size_list(arrow_type):
        return [_from_plain(item, arrow_type.value_type) for item in value]
    if is_.is_struct(arrow_type):
        return {field.name: _from_plain(value[field.name], field.type) for field in arrow_type}
    if is_.is_map(arrow_type):
        return [(_from_plain(k, arrow_type.key_type), _from_plain(v, arrow_type.item_type)) for k, v in value]
    if is_.is_dictionary(arrow_type):
        return _from_plain(value, arrow_type.value_type)
    if is_.is_binary(arrow_type) or is_.is_large_binary(arrow_type) or is_.is_fixed_size_binary(arrow_type):
        return base64.b64decode(value, validate=True)
    if is_.is_decimal(arrow_type):
        return Decimal(value)
    if is_.is_timestamp(arrow_type):
        return pd.Timestamp(value)
    if is_.is_duration(arrow_type):
        return pd.Timedelta(value)
    if is_.is_date(arrow_type):
        return dt.date.fromisoformat(value)
    return dt.time.fromisoformat(value) if is_.is_time(arrow_type) else value


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
    return lambda values, place: landing.objects(values, one, place, why)


def _by_rule(arrow_type: pa.DataType) -> Callable[[pa.ChunkedArray, Landing], list[Any]]:
    back = _back(arrow_type)

    def make(values: pa.ChunkedArray, place: Landing) -> list[Any]:
        listed: list[Any] = back(values, place).to_pylist()
        return listed

    return make


def _by_number(one: Callable[[str], Any]) -> Callable[[pa.ChunkedArray, Landing], list[Any]]:
    return lambda values, place: landing.objects(
        LITERAL_RULE.back(values, TEXT, place), one, place, "is no number of its kind."
    )


def _aware(values: pa.ChunkedArray, place: Landing) -> list[Any]:
    naive = OF_OBJECTS[dt.datetime](values, place)
    return [None if value is None else value.replace(tzinfo=dt.UTC) for value in naive]


OF_OBJECTS: Mapping[Any, Callable[[pa.ChunkedArray, Landing], list[Any]]] = {
    str: lambda values, place: values.to_pylist(),
    bool: _by_rule(pa.bool_()),
    int: _by_number(landing.whole_python),
    float: _by_rule(pa.float64()),
    Decimal: _by_number(Decimal),
    NUMBERS: _by_number(landing.python_number),
    dt.date: _by_rule(pa.date32()),
    dt.datetime: _by_rule(pa.timestamp("us")),
    AWARE: _aware,
    dt.time: _each(dt.time.fromisoformat, "is no time of day written HH:MM:SS[.ffffff]."),
    dt.timedelta: _each(
        lambda text: pd.Timedelta(landing.duration_ticks(text), "ns"), "is no duration as ISO 8601 writes it."
    ),
    bytes: _each(lambda text: base64.b64decode(from_json(text), validate=True), "is not JSON of bytes."),
    complex: _each(lambda text: complex(from_json(text)), "is not JSON of a complex number."),
    UUID: _each(lambda text: UUID(from_json(text)), "is not JSON of a UUID."),
    JSON: _each(from_json, "is not JSON."),
}


def _into_category(dtype: pd.CategoricalDtype) -> Make:
    source = from_series("", pd.Series(dtype.categories))
    holds = json_kind(source.objects()) if source.objects is not None else source.holds
    make = maker(dtype.categories.dtype, holds if holds is not None else str)
    # What JSON brings back is a list where a category was a tuple, so that only their text tells them apart.
    by_text = holds == JSON
    code_of = {json_text(each) if by_text else each: code for code, each in enumerate(dtype.categories)}

    def into(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        encoded = values.combine_chunks().dictionary_encode()
        indices = encoded.indices.fill_null(-1).to_numpy()
        first = {code: position for position, code in reversed(list(enumerate(indices.tolist())))}
        written = pa.chunked_array([encoded.dictionary], TEXT)
        found = make(written, Landing(place.column, lambda code: place.label(first[code]), dtype))
        codes = [code_of.get(value, -1) for value in (written.to_pylist() if by_text else found)]
        if -1 in codes:
            code = codes.index(-1)
            place.refuse(first[code], written[code].as_py(), "is none of its categories.")
        return pd.Series(pd.Categorical.from_codes(np.array([*codes, -1])[indices], dtype=dtype))

    return into


def _into_periods(dtype: Any) -> Make:
    @cache
    def one(text: str) -> pd.Period:
        # pandas 2 writes the years before 1000 without their zeros.
        for written in (text, re.sub(r"(^|/)(\d{1,3})(?!\d)", lambda at: at[1] + at[2].zfill(4), text)):
            try:
                period = pd.Period(written, freq=dtype.freq)
            except MISFITS:
                continue
            if str(period) == text:
                return period
        raise ValueError("is not such a period as pandas writes it.")

    def make(values: pa.ChunkedArray, place: Landing) -> pd.Series[Any]:
        made = landing.objects(values, one, place, "is not such a period as pandas writes it.")
        return pd.Series(pd.PeriodIndex(made, dtype=dtype))

    return make


def _into_intervals(dtype: Any) -> Make:
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
        made = landing.objects(values, one, place, "is not such an interval as pandas writes it.")
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
