"""``schema=`` of a read: restore the exact dtypes that were pushed, from the text of the values."""

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
from pandas_clicdata.types.decode import DecodeLocation, arrow_series, default_text_dtype
from pandas_clicdata.types.encode import TEXT, RowLabels, chunked, parse_period, short_repr
from pandas_clicdata.types.infer import is_object_dtype, is_text, texts
from pandas_clicdata.types.ingest import AWARE_DATETIMES, MIXED_NUMBERS, SourceColumn, column_from_series
from pandas_clicdata.types.json_text import json_decoder, json_text, parse_json
from pandas_clicdata.types.rules import LITERAL_RULE, rule_for

Restore = Callable[[pa.ChunkedArray, DecodeLocation], "pd.Series[Any]"]
RestoreArrow = Callable[[pa.ChunkedArray, DecodeLocation], pa.ChunkedArray]
RestoreObjects = Callable[[pa.ChunkedArray, DecodeLocation], list[Any]]

JSON_VALUES = "values written as JSON"
"""The ``object_type`` of values that were sent as JSON text."""

_NOT_A_PERIOD = "is not a period of this frequency as pandas writes it."
_BOUNDS = {"left": "[)", "right": "(]", "both": "[]", "neither": "()"}


def _object_type(column: SourceColumn) -> Any:
    """Return the type of a column's Python objects, also if it can be sent only as JSON text."""
    if column.objects is None:
        return column.object_type
    kinds = {type(value) for value in column.objects() if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else None
    return kind if kind in (bytes, complex, UUID) else JSON_VALUES


def _restorer(dtype: Any, object_type: Any = None) -> Restore:
    """Return the function that restores a column of a dtype from text.

    Raises
    ------
    TypeError, ValueError
        Columns of this dtype cannot be restored.
    """
    match dtype:
        case pd.CategoricalDtype():
            return _category_restorer(dtype)
        case pd.SparseDtype():
            dense = _restorer(dtype.subtype, object_type)
            return lambda texts, location: dense(texts, location).astype(dtype)
        case pd.PeriodDtype():
            return _period_restorer(dtype)
        case pd.IntervalDtype():
            return _interval_restorer(dtype)
        case pd.ArrowDtype():
            restore_arrow = _arrow_restorer(dtype.pyarrow_dtype)
            return lambda texts, location: arrow_series(restore_arrow(texts, location))
        case pd.StringDtype():
            return lambda texts, location: pd.Series(texts.to_pylist(), dtype=dtype)
        case pd.DatetimeTZDtype():
            return _tick_restorer(dtype, dtype.unit)
        case np.dtype(kind="O"):
            return _object_restorer(object_type)
        case np.dtype(kind="U"):
            return lambda texts, location: pd.Series(texts.to_pylist(), dtype=default_text_dtype())
        case np.dtype(kind="c"):
            complex_numbers = _OBJECT_RESTORERS[complex]
            return lambda texts, location: pd.Series(complex_numbers(texts, location), dtype=object).astype(dtype)
        case np.dtype(kind="M" | "m"):
            return _tick_restorer(dtype, np.datetime_data(dtype)[0])
    return _number_restorer(dtype)


def _rule_restorer(arrow_type: pa.DataType) -> RestoreArrow:
    rule = rule_for(arrow_type)
    if rule is None:
        raise TypeError(f"{arrow_type} has no ClicData type")
    return lambda texts, location: rule.decode(texts, arrow_type, location)


def _number_restorer(dtype: Any) -> Restore:
    plain = getattr(dtype, "numpy_dtype", dtype)
    if not isinstance(plain, np.dtype) or plain.kind not in "iufb":
        raise TypeError("columns of this dtype are never sent")
    # As float64 if the dtype is longdouble, which Arrow lacks.
    restore = _rule_restorer(pa.float64() if plain.itemsize > np.dtype(float).itemsize else pa.from_numpy_dtype(plain))
    nullable: Any = dtype if isinstance(dtype, pd.api.extensions.ExtensionDtype) else None

    def numbers(texts: pa.ChunkedArray, location: DecodeLocation) -> pd.Series[Any]:
        array = restore(texts, location)
        if nullable is not None:
            return pd.Series(nullable.__from_arrow__(array))
        if plain.kind != "f":
            _refuse_nulls(texts, location)
        return pd.Series(array.to_numpy().astype(dtype, copy=False))

    return numbers


def _refuse_nulls(texts: pa.ChunkedArray, location: DecodeLocation) -> None:
    location.refuse_where(texts.is_null(), texts, f"is missing, and {location.dtype} holds no missing values.")


def _tick_restorer(dtype: Any, unit: str) -> Restore:
    restore = _rule_restorer(pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit))
    return lambda texts, location: series_of_ticks(restore(texts, location), dtype)


def series_of_ticks(ticks: pa.ChunkedArray, dtype: Any) -> pd.Series[Any]:
    """Return datetimes in UTC, or durations, as a dtype of the same unit.

    Convert through int64, because pandas accepts every year that way.
    """
    numbers = ticks.cast(pa.int64())
    if isinstance(dtype, pd.ArrowDtype):
        return arrow_series(numbers.cast(dtype.pyarrow_dtype))
    plain = numbers.fill_null(np.iinfo("int64").min).to_numpy()
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = pd.Series(plain.view(f"M8[{dtype.unit}]"))
        return naive.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return pd.Series(plain.view(dtype))


def _arrow_restorer(arrow_type: pa.DataType) -> RestoreArrow:
    if pa.types.is_dictionary(arrow_type):
        inner = _arrow_restorer(arrow_type.value_type)
        return lambda texts, location: _dictionary_encoded(inner(texts, location), texts).cast(arrow_type)
    if pa.types.is_run_end_encoded(arrow_type):
        inner, ends = _arrow_restorer(arrow_type.value_type), arrow_type.run_end_type
        # Raises now if Arrow cannot encode values of this type.
        pc.run_end_encode(pa.array([], arrow_type.value_type), run_end_type=ends)
        return lambda texts, location: pc.run_end_encode(inner(texts, location), run_end_type=ends)
    return _rule_restorer(arrow_type) if rule_for(arrow_type) is not None else _json_restorer(arrow_type)


def _dictionary_encoded(values: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Encode values, made of these texts, as a dictionary."""
    try:
        return values.dictionary_encode()
    except pa.ArrowNotImplementedError:
        # By their texts, because Arrow does not compare lists, nor float16 in pyarrow 16.
        known = texts.drop_null().unique()
        dictionary = values.combine_chunks().take(
            pa.array([pc.index(texts, text).as_py() for text in known], pa.int64())
        )
        codes = pc.index_in(texts, known).combine_chunks()
        return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, dictionary)])


def _json_restorer(arrow_type: pa.DataType) -> RestoreArrow:
    value_of, reason = json_decoder(arrow_type), "is not JSON of this type."

    def values(texts: pa.ChunkedArray, location: DecodeLocation) -> pa.ChunkedArray:
        array = decode.decode_each(texts, lambda text: value_of(parse_json(text)), arrow_type, location, reason)
        # Arrow silently cuts values inside lists and structs, so compare the JSON of the result with the original.
        for position, (text, value) in enumerate(zip(texts.to_pylist(), array.to_pylist(), strict=True)):
            if text is not None and (value is None or parse_json(json_text(value)) != parse_json(text)):
                location.refuse(position, text, reason)
        return array

    return values


def _object_restorer(object_type: Any) -> Restore:
    if isinstance(object_type, pd.PeriodDtype | pd.IntervalDtype):
        restore = _restorer(object_type)
        return lambda texts, location: _objects(
            [None if pd.isna(value) else value for value in restore(texts, location)]
        )
    restore_objects = _OBJECT_RESTORERS[object_type]
    return lambda texts, location: _objects(restore_objects(texts, location))


def _objects(values: list[Any]) -> pd.Series[Any]:
    return pd.Series(values, dtype=object)


def _each(convert: Callable[[str], Any], reason: str) -> RestoreObjects:
    return lambda texts, location: decode.python_objects(texts, convert, location, reason)


def _each_number(convert: Callable[[str], Any]) -> RestoreObjects:
    return lambda texts, location: decode.python_objects(
        LITERAL_RULE.decode(texts, TEXT, location), convert, location, "is not a number of this kind."
    )


def _by_rule(arrow_type: pa.DataType) -> RestoreObjects:
    restore = _rule_restorer(arrow_type)

    def values(texts: pa.ChunkedArray, location: DecodeLocation) -> list[Any]:
        objects: list[Any] = restore(texts, location).to_pylist()
        return objects

    return values


def _aware_datetimes(texts: pa.ChunkedArray, location: DecodeLocation) -> list[Any]:
    naive = _OBJECT_RESTORERS[dt.datetime](texts, location)
    return [None if value is None else value.replace(tzinfo=dt.UTC) for value in naive]


_OBJECT_RESTORERS: Mapping[Any, RestoreObjects] = {
    str: lambda texts, location: texts.to_pylist(),
    bool: _by_rule(pa.bool_()),
    int: _each_number(decode.python_int),
    float: _by_rule(pa.float64()),
    Decimal: _each_number(Decimal),
    MIXED_NUMBERS: _each_number(decode.python_number),
    dt.date: _by_rule(pa.date32()),
    dt.datetime: _by_rule(pa.timestamp("us")),
    AWARE_DATETIMES: _aware_datetimes,
    dt.time: _each(dt.time.fromisoformat, decode.NOT_A_TIME),
    dt.timedelta: _each(lambda text: pd.Timedelta(decode.parse_duration(text), "ns"), decode.NOT_A_DURATION),
    bytes: _each(lambda text: base64.b64decode(parse_json(text), validate=True), "is not JSON of bytes."),
    complex: _each(lambda text: complex(parse_json(text)), "is not JSON of a complex number."),
    UUID: _each(lambda text: UUID(parse_json(text)), "is not JSON of a UUID."),
    JSON_VALUES: _each(parse_json, "is not JSON."),
}


def _category_restorer(dtype: pd.CategoricalDtype) -> Restore:
    restore_keys, keys = _category_keys(dtype.categories)
    code_of = {key: code for code, key in enumerate(keys)}

    def categories(texts: pa.ChunkedArray, location: DecodeLocation) -> pd.Series[Any]:
        encoded = texts.combine_chunks().dictionary_encode()
        indices = encoded.indices.fill_null(-1).to_numpy()
        first = {code: position for position, code in reversed(list(enumerate(indices.tolist())))}
        distinct = pa.chunked_array([encoded.dictionary], TEXT)
        rows_of_codes = pd.Index([location.label(first[code]) for code in range(len(distinct))])
        location_of_first = DecodeLocation(location.column, RowLabels(rows_of_codes), dtype=dtype)
        codes = [code_of.get(key, -1) for key in restore_keys(distinct, location_of_first)]
        if -1 in codes:
            code = codes.index(-1)
            location.refuse(first[code], distinct[code].as_py(), "is not one of its categories.")
        return pd.Series(pd.Categorical.from_codes(np.array([*codes, -1])[indices], dtype=dtype))

    return categories


def _category_keys(categories: pd.Index[Any]) -> tuple[Any, Sequence[Any]]:
    """Return a function from the texts of categories to keys, and the key of each category."""
    column = column_from_series("", pd.Series(categories, dtype=categories.dtype))
    object_type = _object_type(column)
    if object_type == JSON_VALUES:
        # By their JSON text, because a tuple would be restored as a list.
        return _OBJECT_RESTORERS[str], [json_text(each) for each in categories]
    if object_type == MIXED_NUMBERS and column.values is not None:
        # As Decimals, because a float and a Decimal of the same text are not equal.
        return _OBJECT_RESTORERS[Decimal], [Decimal(number) for number in column.values.to_pylist()]
    if object_type is None and is_object_dtype(categories.dtype) and column.values is not None:
        # By their text, because periods or intervals of several kinds have no dtype in common.
        return _OBJECT_RESTORERS[str], column.values.to_pylist()
    return _restorer(categories.dtype, object_type), list(categories)


def _period_restorer(dtype: Any) -> Restore:
    @cache
    def period(text: str) -> pd.Period:
        parsed = parse_period(text, dtype.freq)
        if parsed is None:
            raise ValueError(_NOT_A_PERIOD)
        return parsed

    return lambda texts, location: pd.Series(
        pd.PeriodIndex(decode.python_objects(texts, period, location, _NOT_A_PERIOD), dtype=dtype)
    )


def _interval_restorer(dtype: Any) -> Restore:
    if dtype.subtype is None or dtype.closed is None:
        raise TypeError("an interval dtype needs a subtype and a closed side, as in 'interval[int64, right]'")
    reason = f"is not an interval closed {dtype.closed}, as pandas writes it."
    bounds = _BOUNDS[dtype.closed]
    zone = getattr(dtype.subtype, "tz", None)

    def timestamp(text: str) -> pd.Timestamp:
        return pd.Timestamp(text) if zone is None else pd.Timestamp(text).tz_convert(zone)

    ends: Mapping[str, Callable[[str], Any]] = {"M": timestamp, "m": pd.Timedelta, "f": float}
    end = ends.get(dtype.subtype.kind, int)

    @cache
    def interval(text: str) -> pd.Interval[Any]:
        left, _, right = text[1:-1].partition(", ")
        if text[:1] + text[-1:] != bounds:
            raise ValueError(reason)
        return pd.Interval(end(left), end(right))

    def intervals(texts: pa.ChunkedArray, location: DecodeLocation) -> pd.Series[Any]:
        values = decode.python_objects(texts, interval, location, reason)
        if dtype.subtype.kind in "iu":
            _refuse_nulls(texts, location)
        lefts, rights = (
            _objects([None if value is None else getattr(value, side) for value in values]).astype(dtype.subtype)
            for side in ("left", "right")
        )
        return pd.Series(pd.arrays.IntervalArray.from_arrays(lefts, rights, closed=dtype.closed))

    return intervals


_METADATA_KEY = "object_type"
_DEFAULT_OBJECT_TYPES: Mapping[str, Any] = {
    ColumnType.TEXT: str,
    ColumnType.DROPDOWN: str,
    ColumnType.NUMBER: MIXED_NUMBERS,
    ColumnType.PERCENTAGE: MIXED_NUMBERS,
    ColumnType.CHECKBOX: bool,
    ColumnType.DATE: dt.date,
    ColumnType.DATETIME: dt.datetime,
}
"""The type of Python objects if only the ClicData type of their column is known."""

_ARROW_TYPES: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    float: pa.float64(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us"),
    AWARE_DATETIMES: pa.timestamp("us", "UTC"),
    dt.timedelta: pa.duration("ns"),
    bytes: pa.binary(),
}


@dataclass(frozen=True)
class RestoreTarget:
    """The dtype in which to restore a column.

    Attributes
    ----------
    dtype : dtype
        The dtype.
    restore : callable
        Function from the text of the values to the column.
    object_type : object
        For dtype object: the type of the Python objects.
    """

    dtype: Any
    restore: Restore
    object_type: Any = None

    @cached_property
    def arrow_type(self) -> pa.DataType | None:
        """The type in Arrow batches; None if Arrow has no single type, so that the column stays text."""
        dtype = _dense_dtype(self.dtype)
        if self.object_type is not None:
            return _ARROW_TYPES.get(self.object_type)
        if isinstance(dtype, pd.ArrowDtype):
            return dtype.pyarrow_dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            return _zoned_type(dtype)
        if isinstance(dtype, pd.CategoricalDtype) and isinstance(dtype.categories.dtype, pd.DatetimeTZDtype):
            # Up to pyarrow 23, the type that Arrow infers for these has no time zone.
            codes = pd.Series([], dtype=dtype).cat.codes.dtype
            return pa.dictionary(pa.from_numpy_dtype(codes), _zoned_type(dtype.categories.dtype), bool(dtype.ordered))
        try:
            found = pa.array(_dense(self.series("", pa.chunked_array([], TEXT)))).type
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            return None
        values = found.value_type if pa.types.is_dictionary(found) else found
        return None if isinstance(values, pa.BaseExtensionType) or pa.types.is_null(values) else found

    def series(self, name: str, values: pa.ChunkedArray, first_row: int = 0) -> pd.Series[Any]:
        """Restore the column as a Series.

        Raises
        ------
        ColumnConversionError
            The dtype does not hold a value.
        """
        written = values if is_text(values.type) else chunked(texts(values), TEXT)
        return self.restore(written.cast(TEXT), DecodeLocation(name, RowLabels(first=first_row), dtype=self.dtype))

    def array(self, name: str, values: pa.ChunkedArray, first_row: int) -> pa.Array:
        """Restore the column as an Arrow array of type ``arrow_type``.

        Raises
        ------
        ColumnConversionError
            The dtype does not hold a value.
        """
        if self.arrow_type is None:
            return values.combine_chunks()
        array = pa.array(_dense(self.series(name, values, first_row)), self.arrow_type)
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _dense(series: pd.Series[Any]) -> pd.Series[Any]:
    return pd.Series(series.array.to_dense()) if isinstance(series.dtype, pd.SparseDtype) else series


def _dense_dtype(dtype: Any) -> Any:
    return dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype


def _zoned_type(dtype: pd.DatetimeTZDtype) -> pa.DataType:
    zone = str(dtype.tz)
    return pa.timestamp(dtype.unit, zone if zone in available_timezones() else "UTC")


def declared_dtype(column: SourceColumn) -> Any:
    """Return the dtype of a column for ``schema()``; dtype object carries the type of its Python objects."""
    object_type = _object_type(column) if is_object_dtype(column.dtype) else None
    return column.dtype if object_type is None else np.dtype(object, metadata={_METADATA_KEY: object_type})


def restore_targets(schema: Any) -> dict[str, Any]:
    """Return the target of each column of ``schema=``, or its dtype if that is too general for one.

    Parameters
    ----------
    schema : DataFrame, pyarrow.Schema, mapping, Series or None
        What ``df.clicdata.schema()`` returns, an Arrow schema, or dtypes by column.

    Returns
    -------
    dict of str to RestoreTarget or dtype
        Empty for None.

    Raises
    ------
    TypeError
        ``schema`` is none of these.
    ValueError
        It names a column twice, or a dtype that pandas does not know or that cannot be restored.
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
        lacking = " without columns 'column' and 'dtype'" if isinstance(schema, pd.DataFrame) else ""
        raise TypeError(
            "schema= takes the result of df.clicdata.schema(), an Arrow schema, or a dict of column to dtype, not a"
            f" {type(schema).__name__}{lacking}."
        )
    targets: dict[str, Any] = {}
    for label, dtype, data_type in entries:
        name = str(label)
        if name in targets:
            raise ValueError(f"schema= names column {name!r} twice.")
        try:
            targets[name] = _target(_known_dtype(dtype), data_type)
        except (TypeError, ValueError, NotImplementedError) as exc:
            remedy = " Pass the dtype itself, because its name is not complete." if isinstance(dtype, str) else ""
            raise ValueError(
                f"schema= gives column {name!r} the dtype {short_repr(dtype)}, which cannot be read: {exc}.{remedy}"
            ) from exc
    return targets


def _known_dtype(dtype: Any) -> Any:
    if dtype is None:
        raise TypeError("None is not a dtype")
    if isinstance(dtype, pa.DataType):
        return pd.ArrowDtype(dtype)
    if isinstance(dtype, type) and dtype in _OBJECT_RESTORERS and dtype not in (str, int, float, bool, complex, bytes):
        return np.dtype(object, metadata={_METADATA_KEY: dtype})
    return pd.api.types.pandas_dtype(dtype)


def _target(dtype: Any, data_type: Any) -> Any:
    object_type = None
    inner = _dense_dtype(dtype)
    if is_object_dtype(inner):
        object_type = dict(inner.metadata or {}).get(_METADATA_KEY)
        object_type = _DEFAULT_OBJECT_TYPES.get(data_type) if object_type is None else object_type
        if object_type is None:
            return dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None:
        return dtype
    return RestoreTarget(dtype, _restorer(dtype, object_type), object_type)
