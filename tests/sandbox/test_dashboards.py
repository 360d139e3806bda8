"""Dashboards and their pictures: PNGs of the current data."""

import base64
import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pandas_clicdata.sandbox import RemoteSandbox
from pandas_clicdata.sandbox.bodies import Column
from pandas_clicdata.sandbox.dashboards import MAX_ROWS
from pandas_clicdata.sandbox.pictures import SNAPSHOT, THUMBNAIL, Chart, chart, png

pytestmark = pytest.mark.sampled(1)

VERSIONS = [None, "2025.3"]
PAIR = [("k", "text"), ("n", "number")]
BAR = (0x2F, 0x6F, 0xB5)
MIDDLE = SNAPSHOT[0] // 2


@pytest.fixture
def flights(sb, call):
    """Create a dashboard of an empty table; return it, and the id of the table."""
    table = call.make("Flights", PAIR)
    return sb.dashboard("Delays", table="Flights", description="Minutes late"), table


def picture(call, dashboard, kind="snapshot", version=None):
    """Return the bytes of a picture, after checking its reply."""
    reply = call("GET", f"/dashboard/{dashboard}/{kind}", version=version)
    assert reply.status_code == 200, reply.text
    if version is None:
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
        text = reply.text
    else:
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        assert reply.json().keys() == {"success", "result"}
        text = reply.json()["result"]
    return base64.b64decode(text, validate=True)


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG"
    return image


def bar_pixels(data, half):
    """Return the number of bar pixels in the left (0) or right (1) half."""
    image = opened(data)
    part = image.crop((half * MIDDLE, 0, (half + 1) * MIDDLE, image.height))
    return {color: count for count, color in part.getcolors(part.width * part.height)}.get(BAR, 0)


def entries(call, version=None, **params):
    reply = call("GET", "/dashboard", version=version, params=params).json()
    return reply["result"] if version else reply["dashboards"]


# the list


@pytest.mark.parametrize("version", VERSIONS)
def test_dashboards_are_listed_and_filtered_by_name(sb, call, flights, version):
    other = sb.dashboard("Other", table=flights[1])
    one, two = entries(call, version)
    assert isinstance(one.pop("creation_date"), str)
    assert isinstance(one.pop("last_update_date"), str)
    key = "id" if version else "rec_id"
    assert one == {key: flights[0], "name": "Delays", "description": "Minutes late"}
    assert (two[key], two["name"], two["description"]) == (other, "Other", "")
    assert [entry["name"] for entry in entries(call, version, name="dELAYS")] == ["Delays"]
    assert entries(call, version, name="Delay") == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_list_has_thumbnails_if_requested(call, flights, version):
    assert all("thumbnail" not in entry for entry in entries(call, version, includethumbnail="false"))
    (entry,) = entries(call, version, includethumbnail="true")
    assert base64.b64decode(entry["thumbnail"], validate=True) == picture(call, flights[0], "thumbnail", version)
    assert call("GET", "/dashboard", version=version, params={"includethumbnail": "1"}).status_code == 400


def test_the_versioned_list_has_pages(sb, call, flights):
    sb.dashboard("Other", table="Flights")
    reply = call("GET", "/dashboard", version="2025.3", params={"page_size": 1, "page": 2}).json()
    assert [entry["name"] for entry in reply["result"]] == ["Other"]
    assert reply["pagination"]["result_total_count"] == 2


# pictures


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "size"), [("thumbnail", THUMBNAIL), ("snapshot", SNAPSHOT)])
def test_a_picture_is_a_png_of_its_size(call, flights, kind, size, version):
    call.insert(flights[1], [{"k": "a", "n": 1}])
    assert opened(picture(call, flights[0], kind, version)).size == size


@pytest.mark.parametrize("kind", ["thumbnail", "snapshot"])
def test_a_picture_changes_only_when_the_data_changes(call, flights, kind):
    dashboard, table = flights
    find = [{"column": "k", "value": "a"}]

    def insert():
        call.insert(table, [{"k": "a", "n": 1}, {"k": "b", "n": 2}])

    def update():
        body = {"multiplerows": "all", "find": find, "data": [{"column": "n", "value": 5}]}
        assert call("PUT", f"/data/{table}/row", body).status_code == 200

    def delete():
        assert call("DELETE", f"/data/{table}/row", {"multiplerows": "all", "find": find}).status_code == 200

    seen = [picture(call, dashboard, kind)]
    for change in (insert, update, delete):
        assert picture(call, dashboard, kind) == seen[-1]
        change()
        seen.append(picture(call, dashboard, kind))
    assert len(set(seen)) == 4


def test_the_length_of_a_bar_is_the_mean_of_its_group(call, flights):
    dashboard, table = flights
    assert bar_pixels(picture(call, dashboard), 0) == 0
    call.insert(table, [{"k": "a", "n": 1}, {"k": "b", "n": 9}, {"k": "a", "n": 5}, {"k": "b", "n": None}])
    data = picture(call, dashboard)
    assert bar_pixels(data, 1) / bar_pixels(data, 0) == pytest.approx(9 / 3, rel=0.02)


def test_tables_without_rows_or_numbers_have_different_pictures(call, flights, sb):
    nothing = picture(call, flights[0])
    table = call.make("Names", [("k", "text")])
    names = sb.dashboard("Delays of names", table=table)
    assert picture(call, names) != nothing
    call.insert(table, [{"k": "a"}])
    one = picture(call, names)
    call.insert(table, [{"k": "b"}])
    assert len({one, picture(call, names), nothing}) == 3


def test_only_the_first_rows_are_drawn(call, sb):
    table = call.make("Long", [("n", "number")])
    dashboard = sb.dashboard("Long", table=table)
    for first in range(0, MAX_ROWS, 500):
        call.insert(table, [{"n": n % 50} for n in range(first, first + 500)])
    call.insert(table, [{"n": 10**6}] * 500)
    shown = picture(call, dashboard)
    body = {"multiplerows": "all", "find": [{"column": "n", "value": 10**6}], "data": [{"column": "n", "value": 7}]}
    call("PUT", f"/data/{table}/row", body)
    assert picture(call, dashboard) == shown


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["thumbnail", "snapshot"])
def test_the_picture_of_an_unknown_dashboard_is_a_404(call, flights, kind, version):
    for number in (0, flights[0] + 1, 2**63, 10**30):
        reply = call("GET", f"/dashboard/{number}/{kind}", version=version)
        assert reply.status_code == 404
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        assert f"No dashboard has the id {number}" in reply.json()["error"]["description"]


# charts


NUMBER, TEXT = Column("n", "number"), Column("k", "text")


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        ([NUMBER], [], Chart("no rows yet")),
        ([TEXT], [{"k": "a"}], Chart("1 row, no numbers to draw")),
        ([NUMBER], [{"n": None}, {"n": None}], Chart("2 rows, no numbers to draw")),
        ([NUMBER], [{"n": 3}, {"n": None}, {"n": -1.5}], Chart("n, 3 rows", (("1", 3.0), ("2", -1.5)))),
        (
            [Column("m", "checkbox"), Column("p", "percentage"), NUMBER],
            [{"m": True, "p": 0.25, "n": 9}],
            Chart("p, 1 row", (("1", 0.25),)),
        ),
        (
            [NUMBER, Column("o", "dropdown"), TEXT],
            [{"n": 1, "o": "x", "k": "a"}, {"n": 4, "o": None, "k": "a"}, {"n": 2, "o": "x", "k": "b"}],
            Chart("n by o (mean), 3 rows", (("x", 1.5), ("(null)", 4.0))),
        ),
        (
            [NUMBER],
            [{"n": n} for n in range(24)],
            Chart("number of rows by n, 24 rows", tuple((f"{n * 23 / 12:.4g}", 2.0) for n in range(12))),
        ),
        ([NUMBER], [{"n": 7}] * 30, Chart("number of rows by n, 30 rows", (("7", 30.0),))),
        (
            [TEXT, NUMBER],
            [{"k": f"g{n}", "n": n} for n in range(21)],
            Chart("n by k (mean), 21 rows, the first 20 of 21", tuple((f"g{n}", float(n)) for n in range(20))),
        ),
    ],
)
def test_a_chart_has_the_first_number_column_by_the_first_text_column(columns, rows, expected):
    assert chart(columns, len(rows), json.dumps(rows)[1:-1].encode()) == expected


def test_numbers_outside_the_range_of_a_float_are_not_drawn():
    rows = ['{"n":1e999}', '{"n":' + "9" * 1000 + "}", '{"n":-1.7e308}', '{"n":1.7e308}', '{"n":5e-324}']
    assert [value for _, value in chart([NUMBER], 5, ", ".join(rows).encode()).bars] == [-1.7e308, 1.7e308, 5e-324]
    rows = [f'{{"k":"a",{row[1:]}' for row in rows[3:4] * 10]
    ((label, value),) = chart([TEXT, NUMBER], 10, ", ".join(rows).encode()).bars
    assert label == "a"
    assert value == pytest.approx(1.7e308)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "k": st.none()
            | st.sampled_from(["a", "Łódź", "中文", "\U0001f600", "\x00\n\t", "\u202eabc", "", "x" * 500]),
            "n": st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        }
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(title=st.text(max_size=255), rows=ROWS, grouped=st.booleans())
def test_anything_can_be_drawn(title, rows, grouped):
    columns = [TEXT, NUMBER] if grouped else [NUMBER]
    shown = chart(columns, len(rows), json.dumps(rows)[1:-1].encode())
    assert opened(png(title, shown, THUMBNAIL)).size == THUMBNAIL


# creating dashboards


@pytest.mark.parametrize("remote", [False, True])
def test_a_dashboard_with_an_invalid_argument_is_refused(sb, call, remote):
    handle = RemoteSandbox(sb.url, sb.control_key) if remote else sb
    table = call.make("Flights", PAIR)
    first = handle.dashboard("Delays", table=table)
    name: Any
    description: Any
    wrong: Any
    for name in ("", "  ", "x" * 256, 5, None, "\ud800", "dELAYS"):
        with pytest.raises(ValueError, match=r"^name |named 'dELAYS' already exists"):
            handle.dashboard(name, table=table)
    for description in (None, 5, "\udc00"):
        with pytest.raises(ValueError, match=r"^description "):
            handle.dashboard("New", table=table, description=description)
    for wrong in (None, 1.5, True, ["Flights"]):
        with pytest.raises(ValueError, match=r"^table "):
            handle.dashboard("New", table=wrong)
    for unknown in (table + 1, "flights", "", 2**70, "\ud800"):
        with pytest.raises(LookupError, match="has no table"):
            handle.dashboard("New", table=unknown)
    assert [entry["rec_id"] for entry in entries(call)] == [first]
    assert handle.dashboard("x" * 255, table="Flights") == first + 1


def test_a_data_folder_keeps_dashboards(serve, tmp_path):
    first, call = serve(data=tmp_path)
    table = call.make("Flights", PAIR)
    call.insert(table, [{"k": "a", "n": 1}])
    dashboard = first.dashboard("Delays", table="Flights", description="Minutes late")
    shown = picture(call, dashboard)
    before = entries(call)
    activity = call("GET", "/account/activity/dashboards").json()
    first.stop()
    second, call = serve(data=tmp_path)
    assert entries(call) == before
    assert picture(call, dashboard) == shown
    assert activity[0]["view_count"] == 1
    assert call("GET", "/account/activity/dashboards").json()[0]["view_count"] == 2
    with pytest.raises(ValueError, match="already"):
        second.dashboard("Delays", table="Flights")


def test_pillow_is_not_imported_before_a_picture_is_drawn():
    code = (
        "import sys; from pandas_clicdata.sandbox import Sandbox\n"
        "with Sandbox() as sandbox: print('PIL' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
