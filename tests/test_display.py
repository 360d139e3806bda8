"""Views in a notebook: their text, their escapes, and styles that fit a light and a dark page."""

import datetime as dt
import html
import pickle
import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import signed_in
from pandas_clicdata import _display
from pandas_clicdata._display import ColumnListing, Listing, StoppedWrites, counted, frame_html, text_html

HOSTILE = '<script>alert("x")</script>\x1b[2J&'
FRAME = pd.DataFrame({"k": ["a", "b"], "n": [1, 2]})
TAGS = {"div", "span", "b", "code", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """Reads a view: its tags must be closed in their order."""

    def __init__(self, view):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[Any] = []
        self.texts: list[str] = []
        self.feed(view)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def styles(self):
        """Pairs of property and value."""
        for _, name, value in self.attributes:
            if name == "style":
                yield from (tuple(each.split(":")) for each in value.split(";"))


# values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>", "&lt;b&gt;"),
        ('a"b\'c&', "a&quot;b&#x27;c&amp;"),
        ("a\x1b[2J\u202e\n", "a\\x1b[2J\\u202e\\n"),
        (None, ""), (np.nan, ""), (pd.NA, ""), (pd.NaT, ""), (Decimal("nan"), ""),
        (True, "yes"), (np.False_, "no"), (0, "0"), (1.5, "1.5"), ([1, 2], "[1, 2]"), (np.array([1, 2]), "[1 2]"),
        (pd.Timestamp("2013-01-02 05:00:00.25", tz="UTC"), "2013-01-02 05:00:00 UTC"),
        (dt.datetime(2013, 1, 2, 5), "2013-01-02 05:00:00"),
        (dt.date(2013, 1, 2), "2013-01-02"),
        ("x" * 400, "x" * 400),
        ("x" * 401, "x" * 60 + "…"),
        ("x " * 2001, "x " * 2000 + " …"),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_escaped_text(value, shown):
    assert text_html(value) == shown


def luminance(color):
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", _display._TONES.values())
def test_the_white_text_of_a_badge_has_the_contrast_that_WCAG_asks_for(color):  # noqa: N802
    assert 1.05 / (luminance(color) + 0.05) >= 4.5
    dark_page = luminance("#111111") + 0.05
    assert (luminance(color) + 0.05) / dark_page >= 2.5


# all views


@pytest.fixture(scope="module")
def views(new_sandbox, tmp_path_factory):
    """Yield objects with a view, by name; their texts are hostile where a user or the service chooses them."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch, new_sandbox() as sandbox, signed_in(sandbox, "2025.3") as session:
        patch.setenv("XDG_DATA_HOME", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder))
        frame = FRAME.rename(columns={"n": HOSTILE.replace("\x1b", "")})
        sandbox.faults.lose_reply(operation="append")
        with pytest.raises(cd.AmbiguousWriteError):
            frame.clicdata.push("Stopped <b>", session=session)
        pushed = frame.clicdata.push("T<script>", session=session)
        changed = frame.assign(**{frame.columns[1]: [1, 3]})
        replaced = changed.clicdata.push("T<script>", if_exists="replace", session=session)
        yield {
            "session": session,
            "account": session.whoami(),
            "manager": cd.SessionManager(),
            "push": pushed,
            "dry run": frame.clicdata.push("New", dry_run=True, session=session),
            "dry delete": frame.clicdata.delete_rows(pushed, on="k", dry_run=True),
            "upsert": frame.clicdata.upsert("T<script>", on="k", session=session),
            "replace": replaced,
            "restore": cd.restore(replaced.backup, pushed),
            "schema": frame.assign(bad=pd.Series([HOSTILE, object()], dtype=object)).clicdata.schema(),
            "columns": cd.columns(pushed),
            "tables": cd.tables(session=session),
            "some tables": cd.tables("<SCR", session=session),
            "no tables": cd.tables(HOSTILE, session=session),
            "versions": cd.versions(pushed),
            "unfinished": cd.unfinished(session=session),
            "schedule": cd.ScheduleRun(rec_id=7, status="triggered", seconds=1, fields={"name": HOSTILE, "x": HOSTILE}),
            "doctor": cd.doctor(session),
        }


VIEWS = [
    "session", "account", "manager", "push", "dry run", "dry delete", "upsert", "replace", "restore", "schema",
    "columns", "tables", "some tables", "no tables", "versions", "unfinished", "schedule", "doctor",
]  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_safe_and_has_the_colors_of_the_page(views, name):
    view = views[name]._repr_html_()
    page = Page(view)
    assert page.tags <= TAGS
    assert {attribute for _, attribute, _ in page.attributes} <= {"style", "title"}
    assert "\x1b" not in view
    for property_, value in page.styles:
        assert property_ != "background"
        if property_ == "background-color":
            assert value == "transparent" or value in _display._TONES.values()
        elif property_ == "color":
            # White only on a badge.
            assert value in ("inherit", "#fff")
        assert property_ not in ("position", "text-align") or value == "left"
    assert len(re.findall("color:#fff", view)) == len(re.findall("background-color:#", view))
    assert all("text-align:left" in value for tag, _, value in page.attributes if tag in ("td", "th"))


def counts_only(text):
    return re.sub(r"\d+\.\d+ s|about \S+ s", "S", text)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("push", 'confirmed push to "T<script>" RecId 1002 2 rows inserted · S 2 columns'),
        ("dry run", 'dry run push to "New" new table would insert 2 rows · 3 requests, S 2 columns'),
        ("dry delete", "dry run delete_rows from RecId 1002 would delete 2 rows · "),
        ("upsert", 'unverified upsert into "T<script>" RecId 1002 1 row updated · 1 unchanged · S'),
        ("replace", 'confirmed push to "T<script>" RecId 1002 2 rows inserted · 2 deleted · S The rows that were in'),
        ("restore", "confirmed restore to RecId 1002 "),
    ],
)
def test_a_receipt_begins_with_status_table_and_counts(views, name, begins):
    receipt = views[name]
    assert counts_only(Page(receipt._repr_html_()).text).startswith(begins)
    assert repr(receipt).startswith(f"<WriteResult {receipt.status.replace('_', ' ')}: {receipt.operation} ")
    assert len(repr(receipt)) < 300 + len(receipt.backup or "")
    assert str(receipt) == repr(receipt)


def result(**changes):
    facts = {
        "operation": "push", "rec_id": 7, "name": "T", "rows": 3, "sent": 3, "confirmed": 3, "rejected": 0,
        "batches": 1, "retries": 0, "seconds": 0.25, "status": "confirmed", "inserted": 3, "updated": 0, "unchanged": 0,
        "deleted": 0, "requests": 3,
    }  # fmt: skip
    return cd.WriteResult(**{**facts, **changes})


DRY = {"status": "dry_run", "sent": 0, "confirmed": 0}
REPRS = [
    ({}, 'confirmed: push to "T" (RecId 7): 3 rows inserted; 0.25 s'),
    ({"inserted": 1, "updated": 2, "deleted": 1000}, ': 1 row inserted, 2 updated, 1,000 deleted; 0.25 s'),
    ({"seconds": 3700.4}, "3 rows inserted; 3,700 s"),
    ({"inserted": 0, "unchanged": 3}, ": 3 rows unchanged; "),
    ({"inserted": 0, "sent": 0, "rows": 0}, ": nothing changed; "),
    ({"inserted": 0, "sent": 0, "status": "unverified", "unchanged": 3}, "<WriteResult nothing sent: "),
    ({"operation": "update_rows", "inserted": 0, "updated": None, "batches": 3}, ": 3 requests to update rows; "),
    ({"operation": "delete_rows", "inserted": 0, "deleted": None}, 'from "T" (RecId 7): 1 request to delete rows; '),
    ({"inserted": None}, ": 3 rows sent; "),
    ({"name": None}, "confirmed: push to RecId 7: 3 rows"),
    (DRY, 'dry run: push to "T" (RecId 7): would insert 3 rows; 3 requests>'),
    ({**DRY, "rec_id": None, "estimated_seconds": 1.25}, "(new table): would insert 3 rows; 3 requests, about 1.2 s>"),
    ({**DRY, "unchanged": 2, "inserted": 1}, ": would insert 1 row, leave 2 unchanged; "),
    ({**DRY, "inserted": 0}, ": would change nothing; "),
    ({**DRY, "inserted": None, "rows": None}, ": would insert a stream of rows; "),
    ({"notes": ("One.", "Two\x1b.")}, "0.25 s\n  note: One.\n  note: Two\\x1b.>"),
    ({"backup": "old.parquet", "stale_stamps": ("s1", "s2")}, "\n  backup: old.parquet\n  stale stamps: s1, s2>"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "shown"), REPRS)
def test_a_receipt_is_short_in_a_terminal_and_says_the_same_in_a_notebook(changes, shown):
    receipt = result(**changes)
    assert shown in repr(receipt)
    page = Page(receipt._repr_html_())
    for note in receipt.notes:
        assert text_html(note) in page.texts
    assert "0 " not in re.sub(r"\d,\d00|\d0 ", "", page.text.split("details")[-1]), "zeros say nothing"
    assert pickle.loads(pickle.dumps(receipt)) == receipt


def test_columns_and_figures_of_a_receipt_are_folded(views):
    view = views["push"]._repr_html_()
    folded = re.findall("<details .*?</details>", view)
    assert [Page(each).texts[0] for each in folded] == ["2 columns", "details"]
    assert not re.search("<details[^>]* open", view)
    columns, details = (Page(each).text for each in folded)
    assert columns.startswith("2 columns column type dtype k text str") or "k text object" in columns
    assert "all requests" in details


# frames


def test_schema_shows_full_reasons_and_marks_the_refused_columns():
    some = pd.Series([object(), None], dtype=object)
    when = pd.Series([pd.Timestamp("2013-01-01", tz="UTC"), pd.NaT])
    wide = FRAME.assign(x=[1.0, np.inf], y=some, when=when)
    schema = wide.clicdata.schema()
    page = Page(schema._repr_html_())
    assert page.texts[:2] == ["5 columns", "2 refused"]
    assert page.texts.count("refused") == 2
    for note in schema["note"]:
        assert note.removeprefix("refused: ") in page.text
    words = " ".join(repr(schema).split())
    assert "df['x'].replace([float('inf'), -float('inf')], float('nan'))" in words
    assert "refused float64 Column 'x', row 1: inf" in words
    assert max(map(len, repr(schema).splitlines())) <= 80
    good = FRAME.clicdata.schema()
    assert "note" not in Page(good._repr_html_()).texts
    assert re.fullmatch(
        r"column  clicdata_type  dtype\nk       text           \w+\nn       number         int64", repr(good)
    )


@pytest.mark.parametrize(
    "listing",
    [
        FRAME.clicdata.schema(),
        Listing.of(FRAME, "2 rows"),
        ColumnListing.of(pd.DataFrame({"column": [], "dtype": [], "clicdata_type": [], "note": []}), "no columns"),
    ],
    ids=["schema", "listing", "empty"],
)
def test_a_listing_is_a_frame_and_makes_plain_frames(listing):
    view = listing._repr_html_
    assert isinstance(listing, pd.DataFrame)
    plain = pd.DataFrame(listing)
    derived = [listing.copy(), listing.head(1), listing[listing.columns[:1]], listing.reset_index(), listing.T]
    assert {type(each) for each in [plain, *derived, pickle.loads(pickle.dumps(listing))]} == {pd.DataFrame}
    pd.testing.assert_frame_equal(listing, plain)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(listing)), plain)
    assert repr(listing)
    with pd.option_context("display.notebook_repr_html", False):
        assert view() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda listing: listing.pop("note"),
        lambda listing: setattr(listing, "index", ["x", "y"]),
        lambda listing: listing.__setitem__("more", 1),
        lambda listing: listing.insert(0, "more", 1),
    ],
)
def test_a_listing_that_was_changed_in_place_is_shown_as_pandas_shows_it(change):
    listing: Any = FRAME.clicdata.schema()
    change(listing)
    plain: Any = pd.DataFrame(listing)
    assert listing._repr_html_() == plain._repr_html_()
    assert repr(listing) == repr(plain)


def test_a_short_list_is_shown_as_a_whole_and_a_long_one_in_part():
    assert frame_html(pd.DataFrame({"a": range(100)})).count("<tr") == 101
    page = Page(frame_html(pd.DataFrame({"a": range(1201)})))
    assert page.texts[-1] == "… and 1,151 more rows"
    assert Page(Listing.of(pd.DataFrame({"a": []}), "no tables")._repr_html_()).texts == ["no tables"]
    assert frame_html(pd.DataFrame(index=[1, 2])) == ""


def test_long_words_may_be_broken_and_short_texts_stay_on_a_line(views):
    view = frame_html(pd.DataFrame({"date": ["2013-01-01"], "path": ["/x" * 50], "text": ["some words " * 9]}))
    date, path, text = re.findall('<td style="([^"]*)"', view)
    assert "nowrap" in date
    assert "anywhere" in path
    assert "break-word" in text
    assert "min-width" in text


def test_a_stopped_write_is_shown_with_its_rows_and_its_lines(views):
    stopped = views["unfinished"]
    page = Page(stopped._repr_html_())
    assert page.text.startswith('1 write stopped before the end stopped push to "Stopped <b>"')
    assert "0 of 2 rows are in the table, and perhaps 2 more" in page.text
    assert stopped["resume"][0] in page.texts
    assert f'cd.discard_unfinished("{stopped["id"][0]}")' in page.texts
    assert repr(stopped).splitlines()[1].strip() == stopped["resume"][0]
    facts = stopped.to_dict("records")[0]
    running = pd.DataFrame([{**facts, "running": True, "rows": pd.NA, "unknown": 0, "table": 7}])
    shown = Page(StoppedWrites.of(running, "x")._repr_html_()).text
    assert "running push to 7 " in shown
    assert "0 rows of a stream are in the table" in shown
    assert "To continue" not in shown


def test_the_report_of_the_doctor_marks_what_differs(views):
    page = Page(views["doctor"]._repr_html_())
    assert page.texts[0] == "ClicData doctor"
    assert re.search(r"\d+ as assumed", page.text)


def test_a_session_warns_that_the_certificate_is_not_checked():
    session = cd.Session(api_key="hush", base_url="http://127.0.0.1:1", verify=False)
    assert Page(session._repr_html_()).texts[:2] == ["certificate not checked", "ClicData session"]
    manager = cd.SessionManager()
    assert Page(manager._repr_html_()).texts == ["ClicData session: none yet"]


def test_texts_of_counts():
    assert [counted(n, "row") for n in (0, 1, 2, 1000)] == ["no rows", "1 row", "2 rows", "1,000 rows"]
    assert html.unescape(text_html("“")) == "“"
