"""The short functions for notebooks return what the methods of the classes return, in each dialect."""

from typing import Any

import pandas as pd
import pytest

import pandas_clicdata as cd


def test_tables_are_listed_with_their_datetimes(session, name):
    rec_id = cd.Data(session).static_send_data(name, "planes", pd.DataFrame({"seats": [180]})).rec_id
    listed = cd.tables(session=session)
    assert listed.set_index("name").loc[name, ["rec_id", "description"]].tolist() == [rec_id, "planes"]
    pd.testing.assert_frame_equal(listed, cd.Data(session).get_data())
    dates = [column for column in listed if str(column).endswith("date")]
    assert {str(listed[column].dtype) for column in dates} <= {"datetime64[us, UTC]"}
    assert bool(dates) == (session._client.dialect.name == "unversioned"), "the other dialect lists none"


def test_tables_are_found_by_a_part_of_their_name(serve):
    _, session = serve()
    for each in ("Flights", "Late flights", "Planes", "STRASSE"):
        cd.Data(session).create_data(each, cols={"a": "text"})

    def found(part):
        return cd.tables(part, session=session)["name"].tolist()

    assert found("fli") == found("FLI") == ["Flights", "Late flights"]
    assert found("straße") == ["STRASSE"]
    assert found(".") == []
    assert len(found("")) == 4
    assert cd.tables("late", session=session).index.tolist() == [0]
    listed: Any = cd.tables("fli", session=session)
    assert "2 tables with &quot;fli&quot; in the name, of 4" in listed._repr_html_()
    wrong: Any = 7
    with pytest.raises(TypeError, match="takes a part of the name of the tables, which is text, not 7"):
        cd.tables(wrong, session=session)


def test_more_tables_than_a_page_holds_are_all_listed(serve):
    sandbox, session = serve()
    wanted = [f"T {number}" for number in range(105)]
    for each in wanted:
        cd.Data(session).create_data(each, cols={"a": "text"})
    sandbox.requests.clear()
    assert cd.tables(session=session)["name"].tolist() == wanted
    assert sandbox.requests.counts() == {"list": 2}


def test_an_empty_account_has_a_typed_list_of_tables(serve):
    for api_version in ("unversioned", "2025.3"):
        _, session = serve(api_version)
        for listed in (cd.tables(session=session), cd.dashboards(session=session), cd.schedules(session=session)):
            assert len(listed) == 0
            assert list(listed)[:2] == ["rec_id", "name"]
            assert listed["rec_id"].dtype == "int64"


@pytest.mark.parametrize("method", ["reload", "recreate", "update", "append", "updateappend"])
def test_a_table_is_refreshed_and_its_versions_are_read(session, one_sandbox, name, method):
    one_sandbox.put_source(f"{name}.csv", "plane,seats\nA320,180\nB738,189\n")
    rec_id = one_sandbox.feed(name, f"{name}.csv", key=["plane"])
    one_sandbox.put_source(f"{name}.csv", "plane,seats\nA320,174\nA388,853\n")
    assert isinstance(cd.refresh(name, method, session=session), dict)
    expected = {
        "reload": [["A320", 174], ["A388", 853]],
        "recreate": [["A320", 174], ["A388", 853]],
        "update": [["A320", 174], ["B738", 189]],
        "append": [["A320", 180], ["B738", 189], ["A320", 174], ["A388", 853]],
        "updateappend": [["A320", 174], ["B738", 189], ["A388", 853]],
    }
    assert cd.read_clicdata(rec_id, session=session).to_numpy().tolist() == expected[method]
    versions = cd.versions(name, session=session)
    assert versions["data_rec_id"].tolist() == [rec_id] * len(versions)
    assert versions["creation_date"].dtype == "datetime64[us, UTC]"
    before, now = versions["version"].tolist()[-2:]
    assert cd.read_clicdata(rec_id, version=now, session=session).to_numpy().tolist() == expected[method]
    assert cd.read_clicdata(name, version=before, session=session)["seats"].tolist() == [180, 189]
    cd.Data(session).rebuild_data(rec_id, method)
    assert len(cd.versions(rec_id, session=session)) >= len(versions)


def test_without_a_method_a_table_is_reloaded(session, one_sandbox, name):
    one_sandbox.put_source(f"{name}.csv", "n\n1\n")
    one_sandbox.feed(name, f"{name}.csv")
    one_sandbox.put_source(f"{name}.csv", "n\n2\n")
    cd.refresh(name, session=session)
    assert cd.read_clicdata(name, session=session)["n"].tolist() == [2]


@pytest.mark.parametrize("method", ["rebuild", "", None, "RELOAD"])
def test_another_method_is_refused_before_any_request(method):
    with (
        cd.Session(api_key="hush", base_url="http://127.0.0.1:1") as session,
        pytest.raises(
            ValueError, match="method= must be one of 'recreate', 'reload', 'update', 'append', 'updateappend'"
        ),
    ):
        cd.refresh("Flights", method, session=session)
