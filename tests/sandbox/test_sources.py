"""Files that feed tables: names, types, and their folder."""

import io
import json
import stat
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from pandas_clicdata.sandbox import RemoteSandbox, Sandbox
from pandas_clicdata.sandbox.protocol import KEY_HEADER

pytestmark = pytest.mark.sampled(1)


def parquet(columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def one(new_sandbox):
    """Yield a sandbox for all tests that only read what a file was loaded into."""
    with new_sandbox(page_size=10_000) as sandbox, requests.Session() as http:
        http.trust_env = False
        http.headers["CLICDATA-API-KEY"] = sandbox.api_key
        yield sandbox, http


@pytest.fixture
def load(one):
    """Return the types and rows of a table that is created from this content, as the API returns them."""
    sandbox, http = one

    def make(content, file="f.csv"):
        sandbox.put_source(file, content)
        table = sandbox.feed(f"T {uuid.uuid4()}", file)
        reply = http.get(f"{sandbox.url}/data/{table}", timeout=10)
        found = json.loads(reply.text, parse_float=Decimal)
        return {column["name"]: column["data_type"] for column in found["columns"]}, found["data"]

    return make


# csv


@pytest.mark.parametrize(
    ("written", "data_type", "values"),
    [
        (["1", "-2", ""], "number", [1, -2, None]),
        (["1.50", "1e3", " 7"], "number", [Decimal("1.50"), 1000, 7]),
        (["00123", "45"], "text", ["00123", "45"]),
        (["45", "00123"], "text", ["45", "00123"]),
        (["0", "0.5", "-0.5"], "number", [0, 0.5, -0.5]),
        (["-01"], "text", ["-01"]),
        (["+1"], "text", ["+1"]),
        (["0x1F"], "text", ["0x1F"]),
        (["1", "NA"], "text", ["1", "NA"]),
        (["1.5", "nan", "inf"], "text", ["1.5", "nan", "inf"]),
        (["1" * 1500], "text", ["1" * 1500]),
        (["x", "", '""', "null"], "text", ["x", None, "", "null"]),
        (['"a\nb"', '"say ""hi"", you"', "é\N{SNOWMAN}"], "text", ["a\nb", 'say "hi", you', "é\N{SNOWMAN}"]),
        (["", ""], "text", [None, None]),
        (["true", "False", "TRUE", ""], "checkbox", [True, False, True, None]),
        (["true", "1"], "text", ["true", "1"]),
        (["2020-02-29", "0001-01-01", ""], "date", ["2020-02-29", "0001-01-01", None]),
        (["2020-02-30"], "text", ["2020-02-30"]),
        (["0000-01-01"], "text", ["0000-01-01"]),
        (["2020-01-01 10:00:00", "2020-01-02"], "datetime", ["2020-01-01 10:00:00", "2020-01-02 00:00:00"]),
        (["2020-01-01T10:00:00.5"], "datetime", ["2020-01-01 10:00:00.500000"]),
        (["2020-01-01T10:00:00Z"], "datetime", ["2020-01-01 10:00:00"]),
        (["2020-01-01T10:00:00+02:00", ""], "datetime", ["2020-01-01 08:00:00", None]),
        (["2020-01-01 10:00:00.123456000"], "datetime", ["2020-01-01 10:00:00.123456"]),
        (["2020-01-01 10:00:00.123456789"], "text", ["2020-01-01 10:00:00.123456789"]),
        (["0001-01-01T00:00:00+02:00"], "text", ["0001-01-01T00:00:00+02:00"]),
        (["10:00:00"], "text", ["10:00:00"]),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_csv_column_gets_the_type_of_its_values(load, written, data_type, values):
    # With a second column, because an empty line is skipped.
    text = "v,w\n" + "".join(f"{cell},x\n" for cell in written)
    types, rows = load(text)
    assert types == {"v": data_type, "w": "text"}
    assert [row["v"] for row in rows] == values


@pytest.mark.parametrize("text", ["1500-01-01 00:00:00.5", "9999-12-31 23:59:59.5"])
def test_a_datetime_outside_the_range_of_nanoseconds_is_not_changed(load, text):
    _, rows = load(f"v\n{text}\n")
    # As text or as a datetime, depending on the version of pyarrow.
    assert rows[0]["v"] in (text, text + "00000")


def test_numbers_keep_their_digits(sb):
    digits = ["0.1000000000000000055511151231257827", "12345678901234567890123456789", "1.10"]
    sb.put_source("f.csv", "\n".join(["v", *digits]))
    sb.feed("T", "f.csv")
    assert [str(row["v"]) for row in sb.ledger.rows("T")] == digits


@pytest.mark.parametrize(
    "content", ["\N{ZERO WIDTH NO-BREAK SPACE}a,b\r\n1,x\r\n", "a,b\n1,x", b"a,b\n1,x\n"], ids=repr
)
def test_byte_order_marks_and_line_ends_are_ignored(load, content):
    assert load(content) == ({"a": "number", "b": "text"}, [{"a": 1, "b": "x"}])


def test_line_ends_inside_values_are_kept(load):
    assert load('a,b\r\n"x\r\ny",1\r\n')[1] == [{"a": "x\r\ny", "b": 1}]


def test_a_file_with_only_a_header_is_an_empty_table(load):
    assert load("a,b\n") == ({"a": "text", "b": "text"}, [])


def test_the_last_row_of_a_long_file_can_decide_the_type(load):
    # Longer than a block of the reader, and the last row decides the type.
    text = "n,t\n" + "".join(f"{n},{'x' * 200}\n" for n in range(9_000)) + "007,x\n"
    types, rows = load(text)
    assert types == {"n": "text", "t": "text"}
    assert [row["n"] for row in rows] == [*map(str, range(9_000)), "007"]


# parquet

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("column", "data_type", "values"),
    [
        (pa.array([1, None, -3], pa.int8()), "number", [1, None, -3]),
        (pa.array([2**64 - 1], pa.uint64()), "number", [2**64 - 1]),
        (pa.array([0.1, 1e300, -0.0]), "number", [Decimal("0.1"), Decimal("1e300"), 0]),
        (pa.array([0.5], pa.float32()), "number", [Decimal("0.5")]),
        (pa.array([Decimal("1.10"), None]), "number", [Decimal("1.10"), None]),
        (pa.array([True, None]), "checkbox", [True, None]),
        (pa.array(["a", "", None, "00123"]), "text", ["a", "", None, "00123"]),
        (pa.array(["a"], pa.large_string()), "text", ["a"]),
        (pa.array(["a", "b", None]).dictionary_encode(), "text", ["a", "b", None]),
        (pa.array([None, None]), "text", [None, None]),
        (pa.array([date(2020, 2, 29), None]), "date", ["2020-02-29", None]),
        (pa.array([datetime(2020, 1, 1, 10)], pa.timestamp("ns")), "datetime", ["2020-01-01 10:00:00"]),
        (pa.array([datetime(1, 1, 1), None], pa.timestamp("us")), "datetime", ["0001-01-01 00:00:00", None]),
        (
            pa.array([datetime(2020, 7, 1, 10, 0, 0, 5, tzinfo=EAST)], pa.timestamp("us", "Europe/Paris")),
            "datetime",
            ["2020-07-01 08:00:00.000005"],
        ),
    ],
    ids=lambda value: str(getattr(value, "type", value))[:40],
)
def test_a_parquet_column_gets_the_type_of_its_arrow_type(load, column, data_type, values):
    types, rows = load(parquet({"v": column}), "f.PARQUET")
    assert types == {"v": data_type}
    assert [row["v"] for row in rows] == values


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1]]), "the type list"),
        (pa.array([{"a": 1}]), "the type struct"),
        (pa.array([b"x"]), "the type binary"),
        (pa.array([1], pa.time32("s")), "the type time32"),
        (pa.array([1], pa.duration("s")), "the type duration"),
        (pa.array([1.5, float("nan")]), "not finite"),
        (pa.array([float("-inf")]), "not finite"),
        (pa.array([1], pa.timestamp("ns")), "with nanoseconds"),
        (pa.array([2**60], pa.timestamp("us")), "outside the years"),
        (pa.array([-800_000], pa.date32()), "outside the years"),
    ],
    ids=lambda value: str(getattr(value, "type", value))[:40],
)
def test_an_unsupported_parquet_column_is_refused_by_name(one, column, message):
    sandbox, _ = one
    sandbox.put_source("f.parquet", parquet({"v": column}))
    with pytest.raises(ValueError, match=rf"^The source 'f\.parquet' does not fit: its column 'v' .*{message}"):
        sandbox.feed("Refused", "f.parquet")
    assert "Refused" not in sandbox.ledger.tables()


# refusals


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("\n", "cannot be read"),
        ("a,b\n1\n", "cannot be read"),
        (b"a\n\xff\n", "cannot be read"),
        (b"\xff\n1\n", "cannot be read"),
        ("a,a\n1,2\n", "column 2 .* same name"),
        ("a,A\n1,2\n", "column 2 .* same name"),
        ("a,\n1,2\n", "name of column 2 must not be empty"),
        (f"{'a' * 256}\n1\n", "more than 255 characters"),
        (",".join(f"c{n}" for n in range(1901)) + "\n", "the limit is 1900"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_invalid_csv_is_refused(one, content, message):
    sandbox, _ = one
    sandbox.put_source("f.csv", content)
    with pytest.raises(ValueError, match=f"(?i)^The source 'f.csv' .*{message}"):
        sandbox.feed("Refused", "f.csv")
    assert "Refused" not in sandbox.ledger.tables()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"nonsense" * 10, parquet({"a": [1]})[:-20], parquet({})])
def test_an_invalid_parquet_file_is_refused(one, content):
    sandbox, _ = one
    sandbox.put_source("f.parquet", content)
    with pytest.raises(ValueError, match=r"^The source 'f\.parquet' cannot be read: .*\.$"):
        sandbox.feed("Refused", "f.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "must not be empty"),
        ({"name": "x" * 256}, "more than 255"),
        ({"name": "taken"}, "A table named 'taken' already exists"),
        ({"file": "other.csv"}, "'other.csv' cannot be read: the folder of sources has no such file"),
        ({"key": "a"}, "^key is 'a'"),
        ({"key": ["a", "a"]}, "^key is "),
        ({"key": [1]}, "^key is "),
        ({"key": ["z"]}, "lacks the column 'z'"),
        ({"key": ["A"]}, "lacks the column 'A'"),
        ({"key": ["b"]}, "same unique key in rows 1 and 3"),
        ({"history": 1}, "^history is 1"),
        ({"description": 5}, "description must be a string"),
    ],
    ids=str,
)
def test_a_feed_with_an_invalid_argument_is_refused(sb, options, message):
    sb.put_source("f.csv", "a,b\n1,1\n2,2\n3,1.0\n")
    sb.feed("Taken", "f.csv")
    with pytest.raises(ValueError, match=message):
        sb.feed(**{"name": "T", "file": "f.csv", **options})
    assert list(sb.ledger.tables()) == ["Taken"]


BAD_NAMES = [
    "", "x", "f.txt", "f.csv.exe", "../f.csv", "..\\f.csv", "/tmp/f.csv", "a/f.csv", "C:f.csv", ".csv", ".f.csv",
    "f\0.csv", "f\n.csv", "x" * 252 + ".csv",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_name_that_is_not_a_plain_file_name_is_refused(serve, tmp_path, name):
    sb, _ = serve(data=tmp_path / "data")
    assert list(sb.sources.iterdir()) == []
    for work in (lambda: sb.put_source(name, "a\n1\n"), lambda: sb.feed("T", name)):
        with pytest.raises(ValueError, match="name of a source"):
            work()
    assert list(sb.sources.iterdir()) == list(tmp_path.glob("*.csv")) == list((tmp_path / "data").glob("*.csv")) == []


def test_links_and_folders_are_refused_as_sources(sb, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (sb.sources / "f.csv").symlink_to(tmp_path / "secret.csv")
    (sb.sources / "g.csv").mkdir()
    for name in ("f.csv", "g.csv"):
        with pytest.raises(ValueError, match="has no such file"):
            sb.feed("T", name)
    sb.put_source("f.csv", "a\n2\n")
    assert (tmp_path / "secret.csv").read_text() == "a\n1\n"
    assert sb.ledger.rows(sb.feed("T", "f.csv")) == [{"a": 2}]


@pytest.mark.parametrize("content", [5, None, ["a"], "\ud800"], ids=repr)
def test_content_that_is_not_str_or_bytes_is_refused(sb, content):
    with pytest.raises(ValueError):
        sb.put_source("f.csv", content)
    assert list(sb.sources.iterdir()) == []


# the folder


def test_the_folder_of_a_sandbox_in_memory_is_removed_by_stop(new_sandbox):
    with new_sandbox() as sandbox:
        folder = sandbox.sources
        sandbox.put_source("f.csv", "a\n1\n")
        assert folder.is_absolute()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]
    assert not folder.exists()
    with sandbox, new_sandbox() as other:
        assert sandbox.sources not in (folder, other.sources)
    with pytest.raises(RuntimeError, match="not running"):
        assert sandbox.sources


def test_a_data_folder_keeps_its_sources(serve, tmp_path):
    sb, call = serve(data=tmp_path)
    assert sb.sources == tmp_path / "sources"
    assert stat.S_IMODE(sb.sources.stat().st_mode) == 0o700
    # Any program can write a file there.
    (sb.sources / "f.csv").write_text("a\n1\n")
    table = sb.feed("T", "f.csv", key=["a"], history=False, description="numbers")
    sb.stop()
    (tmp_path / "sources" / "f.csv").write_text("a\n1\n2\n")
    sb, call = serve(data=tmp_path)
    assert call("POST", f"/data/{table}/updateappend").json() == {"success": True}
    assert sb.ledger.rows("T") == [{"a": 1}, {"a": 2}]
    assert call("GET", f"/data/{table}/versions").json() == {"versions": []}
    listed = call("GET", "/data", params={"uniquekeyavailable": "true"}).json()["data"]
    assert [(entry["source"], entry["description"]) for entry in listed] == [("file", "numbers")]


# from another process


def test_a_remote_sandbox_feeds_tables():
    with Sandbox() as sandbox:
        remote = RemoteSandbox(sandbox.url, sandbox.control_key)
        assert remote.sources == sandbox.sources
        remote.put_source("f.parquet", parquet({"é": ["\N{SNOWMAN}"]}))
        table = remote.feed("T", "f.parquet", key=("é",), description="d")
        assert sandbox.ledger.tables() == {"T": table}
        assert sandbox.ledger.rows("T") == [{"é": "\N{SNOWMAN}"}]


def test_a_file_that_is_too_long_to_be_sent_is_refused():
    with Sandbox() as sandbox:
        remote = RemoteSandbox(sandbox.url, sandbox.control_key)
        remote.put_source("f.csv", b"a\n" + b"1\n" * (2**23 - 1))
        with pytest.raises(ValueError, match="Write the file into the folder"):
            remote.put_source("g.csv", b"a\n" + b"1\n" * 2**23)
        assert [file.name for file in sandbox.sources.iterdir()] == ["f.csv"]


def ask(sb, path, body):
    return requests.post(
        f"{sb.url}/_sandbox/{path}",
        data=json.dumps(body),
        headers={KEY_HEADER: sb.control_key},
        proxies={"http": ""},
        timeout=10,
    )


def test_any_program_can_put_a_source_as_text(sb):
    assert ask(sb, "sources", {"name": "f.csv", "text": "a\né\n"}).status_code == 200
    assert (Path(sb.sources) / "f.csv").read_bytes() == "a\né\n".encode()
    reply = ask(sb, "feeds", {"name": "T", "file": "f.csv"})
    assert reply.json() == {"table_id": sb.ledger.table_id("T")}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("sources", {"name": "f.csv"}),
        ("sources", {"name": 5, "text": ""}),
        ("sources", {"name": "f.csv", "text": 5}),
        ("sources", {"name": "f.csv", "text": "a", "base64": "YQ=="}),
        ("sources", {"name": "f.csv", "base64": "?"}),
        ("sources", {"name": "f.csv", "text": "\ud800"}),
        ("sources", []),
        ("feeds", {"name": "T"}),
        ("feeds", {"name": "T", "file": 5}),
        ("feeds", {"name": "T", "file": "f.csv", "colour": "red"}),
        ("feeds", {"name": "T", "file": "f.csv", "key": {"a": 1}}),
        ("feeds", {"name": "\ud800", "file": "g.csv"}),
        ("feeds", None),
    ],
    ids=str,
)
def test_an_invalid_source_or_feed_request_is_refused_with_a_sentence(sb, path, body):
    sb.put_source("g.csv", "a\n1\n")
    reply = ask(sb, path, body)
    assert reply.status_code == 400
    assert isinstance(reply.json()["error"], str)
    assert [file.name for file in sb.sources.iterdir()] == ["g.csv"]
    assert sb.ledger.tables() == {}


def test_datetimes_with_a_time_zone_are_read_in_utc(sb):
    moment = datetime(2020, 1, 1, 12, tzinfo=UTC)
    sb.put_source("f.parquet", parquet({"v": pa.array([moment], pa.timestamp("ns", "Asia/Tokyo"))}))
    assert sb.ledger.rows(sb.feed("T", "f.parquet")) == [{"v": "2020-01-01 12:00:00"}]
