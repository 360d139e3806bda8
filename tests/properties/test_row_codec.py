"""The row codec and its plain, slow reference in reference_rows.py agree on everything that hypothesis generates.

``CLICDATA_LONG_TESTS=1`` generates thousands of examples.
"""

import ast
import datetime as dt
import itertools
import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from properties import reference_rows as reference
from properties.numbers_of_examples import few_or, with_settings

from pandas_clicdata import UnexpectedReplyError
from pandas_clicdata._models import ColumnType, Encoding, Kind, WireFormat
from pandas_clicdata.client import operations
from pandas_clicdata.types import ingest, plan, row_codec
from pandas_clicdata.types.rules import LITERAL_RULE, RULES

TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.text('"\\\x00\n\x1f\x7f/é\u2028😀', max_size=4)


MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))


FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60).map(float)


SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)


def decimals(arrow_type):
    most = 10**arrow_type.precision - 1
    numbers = st.integers(-most, most) | st.sampled_from([0, 1, -1, most])
    # From digits, because Python's context rounds.
    return numbers.map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -arrow_type.scale)))


def whole(bits, signed):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


DECIMALS = [pa.decimal128(p, s) for p, s in [(1, 0), (5, 5), (38, 12), (38, 0), (9, -3)]]


DECIMALS += [pa.decimal256(p, s) for p, s in [(76, 0), (76, 38), (40, -2)]]


# The Arrow types that a plan passes to `encode` for each encoding, with their values.
PLANNED = {
    Encoding.INTEGER: [
        (getattr(pa, f"{sign}int{bits}")(), whole(bits, not sign)) for sign in ("", "u") for bits in (8, 16, 32, 64)
    ],
    Encoding.FLOAT: [(pa.float64(), FLOATS), (pa.float32(), SINGLES)],
    Encoding.DECIMAL: [(arrow_type, decimals(arrow_type)) for arrow_type in DECIMALS],
    Encoding.LITERAL: [(pa.large_string(), st.decimals(allow_nan=False, allow_infinity=False).map(str))],
    Encoding.BOOLEAN: [(pa.bool_(), st.booleans())],
    Encoding.TEXT: [(pa.large_string(), TEXT)],
    Encoding.DATETIME: [
        (pa.timestamp("us"), MOMENTS | MOMENTS.map(lambda moment: moment.replace(microsecond=0))),
        (pa.timestamp("s"), MOMENTS.map(lambda moment: moment.replace(microsecond=0))),
    ],
    Encoding.DATE: [(pa.date32(), st.dates())],
}


NEVER_QUOTED = {Encoding.TEXT, Encoding.DATETIME, Encoding.DATE}


COLUMNS = [
    (WireFormat(encoding, quoted=quoted), arrow_type, values)
    for encoding, types in PLANNED.items()
    for quoted in ((False,) if encoding in NEVER_QUOTED else (False, True))
    for arrow_type, values in types
]


@st.composite
def batches(draw):
    """Draw names, wires, a batch, and positions at which to slice it."""
    names = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    height = draw(st.integers(0, 6))
    picked = [draw(st.sampled_from(COLUMNS)) for _ in names]
    arrays = [
        pa.array(draw(st.lists(st.none() | values, min_size=height, max_size=height)), arrow_type)
        for _, arrow_type, values in picked
    ]
    cuts = draw(st.lists(st.integers(0, height), max_size=3))
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    return names, [wire for wire, _, _ in picked], batch, [0, *sorted(cuts), height]


def reference_of_rows(names, wires, batch, framing):
    plain = [
        (wire.encoding.value, wire.quoted, 4 if array.type == pa.float32() else 8)
        for wire, array in zip(wires, batch.columns, strict=True)
    ]
    columns = [array.to_pylist() for array in batch.columns]
    around = (framing.opening, framing.prefixes, framing.closing)
    return [reference.row([column[row] for column in columns], plain, around) for row in range(batch.num_rows)]


@pytest.mark.parametrize("framing", [operations.objects, operations.named_cells])
@few_or(150, few=50, long=4000)
def test_encode_writes_what_the_reference_writes(framing, examples):
    @with_settings(examples)
    @given(batches())
    def writes_the_same(given_batch):
        names, wires, batch, cuts = given_batch
        around = framing(names)
        expected = reference_of_rows(names, wires, batch, around)
        for start, end in itertools.pairwise(cuts):
            piece = batch.slice(start, end - start)
            assert reference.is_written_as(row_codec.encode(piece, wires, around).decode(), expected[start:end])
            each = row_codec.encode_each(piece, wires, around)
            assert len(each) == end - start
            assert all(
                reference.is_written_as(row.decode(), [parts])
                for row, parts in zip(each, expected[start:], strict=False)
            )

    writes_the_same()


@few_or(100, few=30, long=2000)
def test_long_columns_of_few_values_are_written_as_short_ones(examples):
    @with_settings(examples)
    @given(batches())
    def written_as_short_ones(given_batch):
        names, wires, batch, _ = given_batch
        around = operations.objects(names)
        short = row_codec.encode_each(batch, wires, around)
        rows = [row % batch.num_rows for row in range(1100)] if batch.num_rows else []
        long = batch.take(pa.array(rows, pa.int64())).slice(1)
        assert row_codec.encode_each(long, wires, around) == [short[row] for row in rows[1:]]
        assert row_codec.encode(long, wires, around) == b",".join(short[row] for row in rows[1:])

    written_as_short_ones()


@pytest.mark.parametrize("framing", [operations.objects, operations.named_cells])
@few_or(150, few=50, long=4000)
def test_framings_of_both_dialects_parse_as_their_rows(framing, examples):
    @with_settings(examples)
    @given(st.lists(TEXT, min_size=1, max_size=4, unique=True), st.data())
    def parse_as_their_rows(names, data):
        row = data.draw(st.lists(st.none() | TEXT, min_size=len(names), max_size=len(names)))
        batch = pa.RecordBatch.from_arrays([pa.array([value], pa.large_string()) for value in row], names=names)
        back = json.loads(row_codec.encode(batch, [WireFormat(Encoding.TEXT)] * len(names), framing(names)))
        pairs = dict(zip(names, row, strict=True))
        assert back == (
            pairs if framing is operations.objects else [{"column": k, "value": v} for k, v in pairs.items()]
        )

    parse_as_their_rows()


def test_plans_encode_only_these_columns():
    samples = [
        *(pa.array([1], f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(pa.array([np.float16(1)], pa.float16()), pa.array([1.0], "float32"), pa.array([1.0], "float64")),
        *(pa.array([Decimal(1)], pa.decimal128(3)), pa.array([Decimal(1)], pa.decimal256(60, 20))),
        *(pa.array([True]), pa.array(["1"]), pa.array(["1"], "large_string"), pa.array(["true"])),
        *(pa.array(["2024-01-01"]), pa.array(["2024-01-01 00:00:00"]), pa.array(["1"]).dictionary_encode()),
        *(pa.array([0], pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
        *(pa.array([0], kind) for kind in (pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns"))),
        *(pa.array([0], pa.duration(unit)) for unit in ("s", "ms", "us", "ns")),
        *(pa.nulls(1), pa.array([[1]]), pa.array([b"x"])),
    ]
    sources = [pa.table({"x": sample}) for sample in samples] + [pd.DataFrame({"x": [10**30]})]
    taken, expected = set(), {(wire, arrow_type.id) for wire, arrow_type, _ in COLUMNS}
    for source in sources:
        source = ingest.as_source(source)
        for wanted in (None, *ColumnType):
            try:
                plans = plan.plan_columns(source, None if wanted is None else {"x": wanted})
                ready = plan.prepare_table(source, plans)
            except ValueError:
                continue
            taken.add((plans[0].planned.wire, ready.column("x").type.id))
            wires, framing = [plans[0].planned.wire], operations.objects(["x"])
            assert isinstance(row_codec.encode(ready.to_batches()[0], wires, framing), bytes)
    assert {wire for wire, _ in taken} == {
        way.wire for rule in (*RULES, LITERAL_RULE) for way in rule.encoders.values()
    }
    assert taken <= expected


# Numbers in every spelling of JSON.
_WHOLE = st.one_of(
    st.integers(-20, 20),
    st.integers(-(2**65), 2**65),
    st.sampled_from(
        [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**80]
    ),
).map(str) | st.just("-0")


_FRACTION = st.text("0123456789", min_size=1, max_size=25)


_EXPONENT = st.builds(
    "{}{}{}".format,
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.sampled_from(["0", "00", "1", "007", "15", "16", "22", "308", "309", "324", "400", "99999", "4294967306"])
    | st.integers(0, 330).map(str),
)


_SPELLED = st.builds(
    "{}{}{}".format, _WHOLE, st.just("") | _FRACTION.map(lambda digits: f".{digits}"), st.just("") | _EXPONENT
)


NUMBERS = _WHOLE | _SPELLED | FLOATS.map(repr)


TEXTS = TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)) | TEXT.map(json.dumps)


PLAIN = st.sampled_from(["null", "null", "true", "false"]) | NUMBERS | TEXTS


JSON = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(TEXTS, inner), max_size=2).map(
            lambda pairs: "{" + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=3,
)


FAMILIES = [_WHOLE, NUMBERS, NUMBERS, TEXTS, st.sampled_from(["true", "false"]), st.just("null"), PLAIN, JSON]


NAMES = st.sampled_from(["a", "b", 'c "x"', "", "é"])


MISSING = st.none()


@st.composite
def pages(draw):
    """Draw pages as JSON text, and known column names."""
    known = draw(st.lists(NAMES, max_size=3, unique=True))
    families = {name: draw(st.sampled_from(FAMILIES)) for name in draw(st.lists(NAMES, max_size=4, unique=True))}
    made = []
    for _ in range(draw(st.integers(1, 3))):
        rows_of_page = []
        for _ in range(draw(st.integers(0, 4))):
            cells = [
                f"{json.dumps(name)}: {value}"
                for name, family in families.items()
                if (value := draw(st.just("null") | MISSING | family | family | family)) is not None
            ]
            rows_of_page.append("{" + ", ".join(cells) + "}")
        made.append("[" + ",".join(rows_of_page) + "]")
    return made, known


def as_reference(decoded):
    return decoded.kind.name, str(decoded.array.type), decoded.array.to_pylist(), decoded.whole


def outcome(call, *arguments, **options):
    """Return the result of a call, or the column and the kinds in its error."""
    try:
        return call(*arguments, **options)
    except reference.Mixed as exc:
        name, kinds = exc.args
        kinds = kinds if isinstance(kinds, str) else " and ".join(sorted(Kind[kind].value for kind in kinds))
        return f"{name!r}: {kinds}"
    except UnexpectedReplyError as exc:
        found = re.fullmatch(
            r"Column (.*) has values of several kinds, which no column type holds \((.*)\)\. .*", str(exc)
        )
        assert found is not None
        return f"{found[1]}: {found[2]}"


@few_or(150, few=50, long=4000)
def test_decode_returns_what_the_reference_returns(examples):
    @with_settings(examples)
    @given(pages(), st.data())
    @example((['[{"a": 9007199254740992, "b": -0}, {"a": 1.0, "b": -0.0}]'], ["b"]), None)
    @example((['[{"a": 9007199254740993}, {"a": 1.0}]'], []), None)
    @example((["[]"], []), None)
    def returns_the_same(given_pages, data):
        texts, known = given_pages
        as_text, mixed = (set(), set()) if data is None else (data.draw(st.sets(NAMES)), data.draw(st.sets(NAMES)))
        came = [(operations.loads(text.encode()), reference.loads(text)) for text in texts]
        assert repr(came[0][0]) == repr(came[0][1])
        names = list(known)
        for ours, theirs in came:
            expected = reference.names_in(theirs, names)
            names = row_codec.names_in(ours, names)
            assert names == expected
        pieces = []
        for ours, theirs in came:
            decoded = outcome(
                lambda page: list(
                    map(as_reference, row_codec.decode(page, names, as_text=as_text, mixed_as_text=mixed))
                ),
                ours,
            )
            expected = outcome(reference.decode, theirs, names, as_text, mixed)
            assert repr(decoded) == repr(expected)
            if isinstance(decoded, str):
                return
            pieces.append((row_codec.decode(ours, names, as_text=as_text, mixed_as_text=mixed), expected))
        for position, name in enumerate(names):
            ours = outcome(
                lambda parts, name: as_reference(row_codec.unify(parts, name, mixed_as_text=name in mixed)),
                [page[position] for page, _ in pieces],
                name,
            )
            theirs = outcome(reference.unify, [page[position] for _, page in pieces], name, name in mixed)
            assert comparable(ours) == comparable(theirs)

    returns_the_same()


def comparable(column):
    """Return a column, numbers as text as Decimals: the text of a float differs if another page has longer numbers."""
    if isinstance(column, str) or column[0] != "LITERAL":
        return repr(column) if not isinstance(column, str) else column
    kind, arrow_type, values, is_whole = column
    return kind, arrow_type, [None if value is None else Decimal(value) for value in values], is_whole


def test_the_reference_shares_no_code_with_the_package():
    imported = {
        alias.name.partition(".")[0] if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(Path(reference.__file__).read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= {"__future__", "decimal", "json", "re", "struct"}
