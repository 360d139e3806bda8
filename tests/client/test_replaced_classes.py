"""Packages that replace classes of requests and urllib3: a cache that is installed for all sessions, and cassettes."""

import json
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

import pandas_clicdata as cd
from conftest import signed_in

pytest.importorskip("requests_cache")
vcr = pytest.importorskip("vcr")

CACHED = """
import json, sys
import requests, requests_cache

url, name, when, used = *sys.argv[1:4], []

class Recorded(requests_cache.CachedSession):
    def send(self, request, **options):
        used.append(request.url)
        return super().send(request, **options)

def install():
    requests_cache.install_cache("cache", allowable_methods=["GET", "POST"], session_factory=Recorded)

if when == "before the import":
    install()
import pandas as pd
import pandas_clicdata as cd

if when == "before the session":
    from pandas_clicdata.client import transport
    install()
session = cd.Session(**json.loads(sys.stdin.read()), base_url=url, api_version="2025.3")
if when == "after the session":
    install()
frame = pd.DataFrame({"id": [1, 2], "n": [1, 2]})
frame.clicdata.push(name, session=session)
for new in range(3, 6):
    receipt = pd.DataFrame({"id": [1, new], "n": [new, new]}).clicdata.upsert(name, on="id", session=session)
    assert len(cd.read_clicdata(name, session=session)) == new, new
assert isinstance(requests.Session(), Recorded)
assert used == [], used
"""


@pytest.mark.sampled(0)
@pytest.mark.parametrize("when", ["before the import", "before the session", "after the session"])
def test_a_cache_for_all_sessions_of_requests_is_not_used(one_sandbox, name, tmp_path, when):
    credentials = {"client_id": one_sandbox.client_id, "client_secret": one_sandbox.client_secret}
    command = [sys.executable, "-c", CACHED, one_sandbox.url, name, when]
    given = json.dumps(credentials)
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with sqlite3.connect(tmp_path / "cache.sqlite") as stored:
        assert stored.execute("select count(*) from responses").fetchone() == (0,)
    stored.close()


@pytest.mark.parametrize("older", [True, False], ids=["older session", "newer session"])
def test_a_cassette_has_the_requests_of_a_session_of_any_age(one_sandbox, name, tmp_path, older):
    session = signed_in(one_sandbox, "2025.3")
    # By its RecId, because a session remembers names for a while.
    table = pd.DataFrame({"n": [1, 2, 3]}).clicdata.push(name, session=session).rec_id
    path = str(tmp_path / "cassette.yaml")

    def use():
        with session if older else signed_in(one_sandbox, "2025.3") as used:
            back = cd.read_clicdata(table, session=used)
            return len(back), pd.DataFrame({"n": [4]}).clicdata.append(table, resume=False, session=used).confirmed

    with vcr.use_cassette(path) as recorded:
        assert use() == (3, 1)
    assert len(recorded) > 0
    one_sandbox.requests.clear()
    # The same requests again: the service gets none, and no row.
    with vcr.use_cassette(path, record_mode="none") as played:
        assert use() == (3, 1)
    assert (played.play_count, list(one_sandbox.requests)) == (len(recorded), [])
    # Without a cassette, the session is connected to the service again.
    assert len(cd.read_clicdata(name, session=session)) == 4
    session.close()
