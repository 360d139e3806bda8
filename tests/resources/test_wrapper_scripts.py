"""A script for clicdata-api-wrapper runs with another import, and the page for its users has every method."""

import builtins
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

import pandas_clicdata as cd

PAGE = (Path(__file__).parent.parent.parent / "docs" / "coming-from-wrapper.md").read_text("utf-8")
VERSIONS = ("unversioned", "2025.3")

# The public methods of the wrapper's classes and their parameters, in order, as its users have called them.
WRAPPER = {
    "Data": {
        "get_data": ("rec_id", "name", "unique_key_available", "refresh", "output"),
        "get_data_history": ("rec_id", "ver_id", "output"),
        "create_data": ("name", "description", "cols"),
        "append_data": ("rec_id", "data"),
        "create_and_append": ("name", "description", "data"),
        "static_send_data": ("name", "description", "data"),
        "rebuild_data": ("rec_id", "method"),
        "delete_data": ("rec_id", "filters", "multiple_rows"),
        "retrieve_paginated_data": ("suffix",),
    },
    "Account": {"get_account": ("output",), "get_account_activity": ("entity", "output")},
    "Dashboard": {
        "get_dashboard": ("thumbnail", "name", "output"),
        "get_dashboard_thumbnail": ("rec_id", "output"),
        "get_dashboard_snapshot": ("rec_id", "output"),
    },
    "Schedule": {"get_schedule": ("rec_id", "output"), "trigger_schedule": ("rec_id",)},
    "Session": {
        "__init__": ("auth_method", "client_id", "client_secret", "username", "password"),
        "reinitialize": (),
        "api_call": ("suffix", "request_method", "params", "headers", "body"),
    },
    "SessionManager": {"__init__": (), "bind_session": ("session",), "get_session": ()},
}
REMOVED = {("Data", "retrieve_paginated_data"), ("Session", "reinitialize"), ("Session", "api_call")}
METHODS = [(area, method) for area, methods in WRAPPER.items() for method in methods]
# Parameters that only its README has.
DOCUMENTED = [
    ("Data", "create_data", "desc"),
    ("Data", "static_send_data", "desc"),
    ("Dashboard", "get_dashboard_thumbnail", "name"),
    ("Dashboard", "get_dashboard_snapshot", "name"),
]

# A script of a user of the wrapper: every method, with arguments by position and by keyword.
SCRIPT = """
import pandas as pd
from clicdata_api_wrapper import Data
from clicdata_api_wrapper.session import Session, SessionManager
from clicdata_api_wrapper.account import Account
from clicdata_api_wrapper.dashboard import Dashboard
from clicdata_api_wrapper.schedule import Schedule

SessionManager(auth_method="client_credentials", client_id=client_id, client_secret=client_secret)
shared = SessionManager.get_session()

listed = Data().get_data()
listed_by_name = Data().get_data(name="Penguins", output="dict")
by_position = Data().get_data(None, "Penguins", None, None, "df")
ids = {name: int(rec_id) for name, rec_id in zip(listed["name"], listed["rec_id"])}
penguins = Data().get_data(ids["Penguins"])
penguins_as_dicts = Data().get_data(rec_id=ids["Penguins"], output="dict")

history = Data().get_data_history(ids["Flights"])
history_as_dicts = Data().get_data_history(ids["Flights"], None, "dict")
first = Data().get_data_history(rec_id=ids["Flights"], ver_id=1)
first_as_dicts = Data().get_data_history(ids["Flights"], 1, "dict")

df = pd.DataFrame({
    "flight": ["UA1545", "B6725", "UA1545"],
    "seats": [189, 162, 178],
    "delay": [2.0, None, 4.0],
    "late": [True, False, True],
    "day": pd.to_datetime(["2013-01-01", "2013-01-01", "2013-01-02"]),
    "gate": pd.Categorical(["A1", "B7", "A1"]),
})
made = [
    Data().create_data(f"{prefix} 1", "By position", df.dtypes.to_dict()),
    Data().create_data(f"{prefix} 2", "In part", cols=df.dtypes.to_dict()),
    Data().create_data(name=f"{prefix} 3", description="By keyword", cols=df.dtypes.to_dict()),
    Data().create_data(name=f"{prefix} 4", desc="As documented", cols={"flight": "text", "seats": "number"}),
]
appended = [Data().append_data(made[0], df), Data().append_data(rec_id=made[0], data=df)]
rows = Data().get_data(made[0])
Data().delete_data(made[0], {"flight": "UA1545", "seats": 189})
Data().delete_data(rec_id=made[0], filters={"flight": "B6725"}, multiple_rows="first")
Data().delete_data(made[0], {"flight": "B6725"}, "all")
left = Data().get_data(made[0])
sent = [
    Data().create_and_append(f"{prefix} 5", "By position", df),
    Data().create_and_append(name=f"{prefix} 6", description="By keyword", data=df),
    Data().static_send_data(name=f"{prefix} 7", desc="As documented", data=df),
]

flights_before = len(Data().get_data(ids["Flights"]))
rebuilt = [Data().rebuild_data(ids["Flights"]), Data().rebuild_data(ids["Flights"], "reload")]
for method in ("recreate", "update", "updateappend"):
    rebuilt.append(Data().rebuild_data(rec_id=ids["Flights"], method=method))
rebuilt.append(Data().rebuild_data(ids["Planes"], "append"))

account, account_as_dict = Account().get_account(), Account().get_account("dict")
users = Account().get_account_activity()
views = Account().get_account_activity("dashboards")
views_as_dicts = Account().get_account_activity(entity="dashboards", output="dict")

dashboards = Dashboard().get_dashboard()
with_thumbnails = Dashboard().get_dashboard(True)
chosen = Dashboard().get_dashboard(False, "Penguins by species")
chosen_as_dicts = Dashboard().get_dashboard(thumbnail=True, name="Penguins by species", output="dict")
dashboard = int(chosen["rec_id"][0])
thumbnail = Dashboard().get_dashboard_thumbnail(dashboard)
thumbnail_as_image = Dashboard().get_dashboard_thumbnail(dashboard, output="image")
thumbnail_by_name = Dashboard().get_dashboard_thumbnail(name="Penguins by species", output="base64")
snapshot = Dashboard().get_dashboard_snapshot(rec_id=dashboard)
snapshot_as_image = Dashboard().get_dashboard_snapshot(dashboard, "image")

schedules = Schedule().get_schedule()
schedules_as_dicts = Schedule().get_schedule(None, "dict")
weekly = int(schedules["rec_id"][list(schedules["name"]).index("Weekly names")])
one_schedule, one_schedule_as_dict = Schedule().get_schedule(weekly), Schedule().get_schedule(weekly, output="dict")
triggered = Schedule().trigger_schedule(weekly)

basic = Session(auth_method="basic", client_id=client_id, username=username, password=password)
SessionManager.bind_session(basic)
bound = SessionManager.get_session()
listed_by_basic = Data().get_data()
by_position_too = Session("client_credentials", client_id, client_secret)
SessionManager(auth_method="basic", client_id=client_id, username=username, password=password)
listed_by_its_own = Data(client_id=client_id, client_secret=client_secret).get_data()
account_by_its_own = Account(client_id=client_id, client_secret=client_secret).get_account(output="dict")
"""

# Calls for which the page names an error.
NOW_RAISES = [
    ("Data().get_data(999)", cd.TableNotFoundError),
    ("Data().get_data(output='json')", ValueError),
    ("Data().get_data(penguins, name='Penguins')", ValueError),
    ("Data().get_data(name='')", ValueError),
    ("Data().get_data_history()", TypeError),
    ("Data().create_data('Penguins', cols={'a': 'text'})", cd.TableExistsError),
    ("Data().create_data('A table', 'one', {'a': 'text'}, desc='another')", TypeError),
    ("Data().append_data(penguins, pd.DataFrame({'species': ['Adelie']}))", cd.ColumnMismatchError),
    ("Data().create_and_append('A table', data=pd.DataFrame({'a': [float('inf')]}))", cd.CellValueError),
    ("Data().create_and_append('A table', data=pd.DataFrame([[1, 2]], columns=['a', 'a']))", cd.ColumnNameError),
    ("Data().delete_data(penguins, {})", cd.FrameError),
    ("Data().delete_data(penguins, {'sex': None})", cd.FrameError),
    ("Dashboard().get_dashboard(name='Penguins')", cd.RecordLookupError),
    ("Schedule().get_schedule('5')", cd.RecordLookupError),
    ("Data(client_id=sandbox.client_id, client_secret='wrong').get_data()", cd.AuthenticationError),
    ("Session(client_id='a', client_secret='b', url='https://api.clicdata.com/')", TypeError),
    ("SessionManager.bind_session('a session')", TypeError),
]  # fmt: skip


@pytest.fixture(scope="module")
def company(new_sandbox):
    with new_sandbox() as sandbox:
        sandbox.seed()
        yield sandbox


@pytest.fixture(params=VERSIONS)
def account(request, company, no_settings, monkeypatch):
    """Return the account that a script without an address uses."""
    monkeypatch.setenv("CLICDATA_BASE_URL", company.url)
    monkeypatch.setenv("CLICDATA_API_VERSION", request.param)
    return company


@pytest.mark.sampled(0)
def test_a_script_runs_with_only_another_import(account, name, capsys):
    imported = re.compile(r"^from clicdata_api_wrapper[.\w]* import", re.MULTILINE)
    script, imports = imported.subn("from pandas_clicdata import", SCRIPT)
    assert imports == 5
    names = {"__name__": "a script", "prefix": name}
    names |= {each: getattr(account, each) for each in ("client_id", "client_secret", "username", "password")}
    exec(compile(script, "a script", "exec"), names)
    assert capsys.readouterr() == ("", "")
    check_tables(names)
    check_writes(names, name, account)
    check_records(names)


def check_tables(names):
    assert {"rec_id", "name"} <= set(names["listed"])
    assert (
        [entry["name"] for entry in names["listed_by_name"]] == names["by_position"]["name"].to_list() == ["Penguins"]
    )
    assert len(names["penguins"]) == len(names["penguins_as_dicts"]) == 344
    assert (names["history"]["data_rec_id"] == names["ids"]["Flights"]).all()
    assert [entry["version"] for entry in names["history_as_dicts"]] == names["history"]["version"].to_list()
    assert len(names["first"]) == len(names["first_as_dicts"]) == 842
    assert names["first"]["scheduled"].dtype == "datetime64[us]"


def check_writes(names, name, sandbox):
    assert all(type(rec_id) is int for rec_id in names["made"])
    assert [(each.operation, each.sent) for each in names["appended"]] == [("append", 3)] * 2
    assert names["rows"]["seats"].to_list() == [189, 162, 178] * 2
    assert names["rows"].dtypes.astype(str)[["late", "day"]].to_list() == ["bool", "datetime64[us]"]
    assert names["left"]["seats"].to_list() == [178, 178]
    assert [each.sent for each in names["sent"]] == [3] * 3
    for number, description in ((1, "By position"), (3, "By keyword"), (4, "As documented"), (7, "As documented")):
        (entry,) = cd.Data().get_data(name=f"{name} {number}", output="dict")
        assert entry["description"] == description
    assert len(sandbox.ledger.rows(f"{name} 7")) == 3
    assert all(type(each) is dict for each in names["rebuilt"])
    assert len(cd.Data().get_data(names["ids"]["Flights"])) >= names["flights_before"]


def check_records(names):
    assert names["account"]["name"].item() == names["account_as_dict"]["name"] == names["account_by_its_own"]["name"]
    assert len(names["users"]) == 5
    assert names["views"]["name"].to_list() == [entry["name"] for entry in names["views_as_dicts"]]
    assert "thumbnail" not in names["dashboards"]
    assert names["with_thumbnails"]["thumbnail"].notna().all()
    assert names["chosen"]["name"].to_list() == [entry["name"] for entry in names["chosen_as_dicts"]]
    assert names["thumbnail"] == names["thumbnail_by_name"] == names["thumbnail_as_image"].to_base64()
    assert names["thumbnail"] == names["chosen_as_dicts"][0]["thumbnail"]
    assert names["snapshot"] == names["snapshot_as_image"].to_base64() != names["thumbnail"]
    assert len(names["schedules"]) == len(names["schedules_as_dicts"]) == 3
    assert names["one_schedule"]["name"].to_list() == [names["one_schedule_as_dict"]["name"]] == ["Weekly names"]
    assert names["triggered"].status == "triggered"
    assert names["bound"] is names["basic"]
    assert names["shared"].auth_method == names["by_position_too"].auth_method == "client_credentials"
    assert len(names["listed_by_basic"]) == len(names["listed_by_its_own"]) > len(names["listed"])


@pytest.mark.parametrize(("code", "error"), NOW_RAISES, ids=[code for code, _ in NOW_RAISES])
def test_errors_named_on_the_page_are_raised(account, code, error):
    signed_in = cd.connect(client_id=account.client_id, client_secret=account.client_secret)
    names = {**{name: getattr(cd, name) for name in cd.__all__}, "pd": pd, "sandbox": account}
    names["penguins"] = cd.Data().get_data(name="Penguins")["rec_id"].item()
    with signed_in, pytest.raises(error):
        eval(code, names)


@pytest.mark.parametrize(("area", "method"), [each for each in METHODS if each not in REMOVED])
def test_a_method_has_the_parameters_of_the_wrapper_in_order(area, method):
    expected = WRAPPER[area][method]
    if method == "get_dashboard":
        # Its two arguments are taken in either order, as the script tries.
        expected = ("name", "thumbnail", "output")
    parameters = [*inspect.signature(getattr(getattr(cd, area), method)).parameters.values()]
    by_position = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"]
    assert tuple(by_position[: len(expected)]) == expected


@pytest.mark.parametrize(("area", "method", "parameter"), DOCUMENTED)
def test_a_method_has_the_documented_parameters_of_the_wrapper(area, method, parameter):
    assert parameter in inspect.signature(getattr(getattr(cd, area), method)).parameters


@pytest.mark.parametrize(("area", "method"), METHODS)
def test_the_page_mentions_every_method_of_the_wrapper(area, method):
    called = area if method == "__init__" else f"{area}.{method}"
    row = re.compile(rf"^\| [^|]*`{re.escape(called)}\(", re.MULTILINE)
    assert row.search(PAGE), f"no row of the page begins with {called}"


def test_removed_methods_do_not_exist():
    assert {each for each in METHODS if not hasattr(getattr(cd, each[0]), each[1])} == REMOVED


def test_every_name_on_the_page_exists():
    for area, name in re.findall(r"\b(Data|Account|Dashboard|Schedule|SessionManager)(?:\([^)]*\))?\.(\w+)", PAGE):
        assert hasattr(getattr(cd, area), name) or (area, name) in REMOVED, f"{area}.{name}"
    for name in re.findall(r"\bcd\.(\w+)|\b(\w+Error)\b", PAGE):
        found = "".join(name)
        assert hasattr(cd, found) or hasattr(builtins, found), found
