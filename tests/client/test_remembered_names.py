"""A session remembers the RecId of a name for a minute; every case in which that could be wrong."""

import contextlib
import copy
import json
import os
import pickle
import threading

import pandas as pd
import pytest

import pandas_clicdata as cd

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

FRAME = pd.DataFrame({"n": [1, 2]})
SIZE = 2
ONCE = cd.RetryPolicy(attempts=1)
DIALECTS = ("2025.3", "unversioned")


class Account:
    """A service whose tables can be deleted, renamed and created again, which the sandbox's cannot."""

    def __init__(self, api_version):
        self.versioned = api_version != "unversioned"
        self.tables = {f"T{number}": number for number in range(1, 6)}
        self.rows = {rec_id: [{"n": rec_id}] for rec_id in self.tables.values()}
        self.lists, self.changed = [], []
        self.next_id = 100

    def create(self, name):
        """Create a table, in place of one with the same name."""
        rec_id, self.next_id = self.next_id, self.next_id + 1
        self.delete(name)
        self.tables[name], self.rows[rec_id] = rec_id, [{"n": rec_id}]
        return rec_id

    def delete(self, name):
        self.rows.pop(self.tables.pop(name, -1), None)

    def rename(self, old, new):
        self.tables[new] = self.tables.pop(old)

    def answer(self, request):
        reply = self._reply(request)
        if reply is None:
            return 404, {}, b'{"success": false, "error": {"code": "NotFound", "description": "no such table"}}'
        return 200, {}, json.dumps(reply).encode()

    def _reply(self, request):
        head, *rest = request.path.strip("/").split("/")
        if head == "account":
            return self._wrapped({"id": 1})
        if request.method == "POST" and not rest:
            body = json.loads(request.body)
            return self._wrapped(self.create(body["name"]))
        if not rest:
            return self._list(request)
        rec_id = int(rest[0])
        if rec_id not in self.rows:
            return None
        if request.method == "GET":
            rows = self.rows[rec_id]
            columns = [{"name": "n", "data_type": "number"}]
            paging = {"current_page": 1, "result_total_count": len(rows), "has_more_results": False}
            return self._wrapped({"data": rows, "columns": columns}, paging, has_more_data=False)
        self.changed.append((request.method, rec_id))
        count = len(json.loads(request.body).get("data", []))
        return self._wrapped({"rows_inserted": count, "rows_found": count})

    def _list(self, request):
        entries = [{"id": rec_id, "name": name} for name, rec_id in self.tables.items()]
        number = int(request.query.get("page", 1))
        self.lists.append(number)
        if not self.versioned:
            wanted = request.query.get("name")
            return {"data": [each for each in entries if wanted in (None, each["name"])]}
        paging = {"result_total_count": len(entries), "has_more_results": number * SIZE < len(entries)}
        return self._wrapped(entries[(number - 1) * SIZE : number * SIZE], paging)

    def _wrapped(self, result, pagination=None, **beside):
        if self.versioned:
            return {"success": True, "result": result, **({"pagination": pagination} if pagination else {})}
        return {"success": True, **result, **beside} if isinstance(result, dict) else result


@pytest.fixture(params=DIALECTS)
def account(request, http_service):
    """Return an account, and a function that opens a session on it."""
    service = Account(request.param)
    opened = []

    def connect():
        opened.append(cd.Session(api_key="hush", base_url=url, api_version=request.param, retry=ONCE))
        return opened[-1]

    with http_service(service.answer) as url:
        yield service, connect
        for session in opened:
            session.close()


def read(session, name="T5"):
    return cd.read_clicdata(name, session=session)["n"].tolist()


def append(session, name="T5"):
    return FRAME.clicdata.append(name, resume=False, session=session)


def pass_time(session, seconds):
    """Let the clock of the session's client go on."""
    before = session._client._clock
    session._client._clock = lambda: before() + seconds


def test_a_name_is_looked_up_once_a_minute(account):
    service, connect = account
    session = connect()
    assert read(session) == [5]
    walk = len(service.lists)
    assert walk == (3 if service.versioned else 1)
    assert read(session) == [5]
    assert append(session).rec_id == 5
    pass_time(session, 59)
    assert read(session) == [5]
    assert len(service.lists) == walk
    pass_time(session, 2)
    assert read(session) == [5]
    # The page on which the table was listed shows whether it is still there.
    assert service.lists[walk:] == [3 if service.versioned else 1]


def test_a_walk_remembers_all_names_that_it_meets(account):
    service, connect = account
    session = connect()
    cd.tables(session=session)
    service.lists.clear()
    assert [read(session, f"T{number}") for number in range(1, 6)] == [[1], [2], [3], [4], [5]]
    assert service.lists == []


@pytest.mark.parametrize("change", [append, read])
def test_a_table_that_was_created_again_is_found_after_a_404(account, change):
    service, connect = account
    session = connect()
    read(session)
    rec_id = service.create("T5")
    if change is append:
        assert append(session).rec_id == rec_id
        assert service.changed == [("POST", rec_id)]
    else:
        assert read(session) == [rec_id]
    # The new RecId is remembered.
    service.lists.clear()
    assert read(session) == [rec_id]
    assert service.lists == []


@pytest.mark.parametrize("change", [append, read])
def test_a_table_that_was_deleted_is_not_found(account, change):
    service, connect = account
    session = connect()
    read(session)
    service.delete("T5")
    with pytest.raises(cd.TableNotFoundError, match="The account has no table named 'T5'"):
        change(session)
    assert service.changed == []
    # Absence is not remembered.
    rec_id = service.create("T5")
    assert read(session) == [rec_id]


CHANGES = {
    "update": lambda session: FRAME.assign(m=1).clicdata.update_rows("T5", on="n", session=session),
    "upsert": lambda session: FRAME.clicdata.upsert("T5", on="n", session=session),
    "delete": lambda session: FRAME.clicdata.delete_rows("T5", on="n", session=session),
    "push": lambda session: FRAME.clicdata.push("T5", if_exists="append", resume=False, session=session),
    "upsert by push": lambda session: FRAME.clicdata.push("T5", if_exists="upsert", on="n", session=session),
    "replace": lambda session: FRAME.clicdata.push("T5", if_exists="replace", session=session),
    "delete_data": lambda session: cd.Data(session).delete_data("T5", {"n": 1}),
    "refresh": lambda session: cd.refresh("T5", session=session),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_that_changes_rows_or_creates_a_table_looks_the_name_up(account, change, monkeypatch, tmp_path):
    service, connect = account
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    session = connect()
    read(session)
    service.lists.clear()
    # Another user archives the table and starts a new one.
    service.rename("T5", "T5 of 2012")
    service.create("T5")
    with contextlib.suppress(cd.ClicDataError):
        CHANGES[change](session)
    assert service.lists
    assert all(rec_id != 5 for _, rec_id in service.changed)


def test_push_sees_a_table_that_someone_else_created_or_deleted(account):
    service, connect = account
    session = connect()
    with pytest.raises(cd.TableNotFoundError):
        read(session, "New")
    rec_id = service.create("New")
    with pytest.raises(cd.TableExistsError, match=f"RecId {rec_id}"):
        FRAME.clicdata.push("New", session=session)
    service.delete("New")
    receipt = FRAME.clicdata.push("New", session=session)
    assert receipt.rec_id not in (None, rec_id)
    # A table that this session created is looked up again.
    service.lists.clear()
    assert append(session, "New").rec_id == receipt.rec_id
    assert service.lists


def test_a_stale_page_is_no_answer(account):
    service, connect = account
    session = connect()
    read(session)
    # The list is shorter now, so that the table moves to another page.
    service.delete("T1")
    service.delete("T2")
    with pytest.raises(cd.TableExistsError, match="RecId 5"):
        FRAME.clicdata.push("T5", session=session)


def test_names_are_not_found_regardless_of_case(account):
    _, connect = account
    session = connect()
    read(session)
    with pytest.raises(cd.TableNotFoundError, match="Did you mean 'T5'"):
        read(session, "t5")


def test_each_session_remembers_its_own_names(account):
    service, connect = account
    first, second = connect(), connect()
    read(first)
    rec_id = service.create("T5")
    assert read(second) == [rec_id]
    assert read(first) == [rec_id]
    assert copy.deepcopy(first) is first


def test_a_pickled_session_remembers_nothing(account, monkeypatch):
    service, connect = account
    session = connect()
    read(session)
    monkeypatch.setenv("CLICDATA_API_KEY", "hush")
    service.lists.clear()
    with pickle.loads(pickle.dumps(session)) as loaded:
        assert read(loaded) == [5]
    assert service.lists


def test_threads_share_what_a_session_remembers(account):
    service, connect = account
    session = connect()
    read(session)
    service.lists.clear()
    results = []
    threads = [threading.Thread(target=lambda: results.append(read(session))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[5]] * 4
    assert service.lists == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_remembers_what_its_parent_does(account):
    service, connect = account
    session = connect()
    read(session)
    service.lists.clear()
    rec_id = service.create("T5")
    child = os.fork()
    if child == 0:
        os._exit(0 if read(session) == [rec_id] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert service.lists, "the child has looked the name up after a 404"
    service.lists.clear()
    assert read(session) == [rec_id]
    assert service.lists


def test_the_doctor_looks_afresh(serve):
    sandbox, session = serve()
    FRAME.clicdata.push("T", session=session)
    cd.read_clicdata("T", session=session)
    sandbox.requests.clear()
    cd.doctor(session=session)
    assert sandbox.requests.counts()["list"]
