"""Table lookup by name and RecId, and the errors about missing tables."""

import json

import pandas as pd
import pytest

import pandas_clicdata as cd
from pandas_clicdata.sandbox import Assumptions

# By default, the cases cover each value of each parameter; the other combinations are slow.
pytestmark = pytest.mark.sampled(1)

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None]})


def listing(pages, *, unversioned=False):
    """Return the log and the answers of a service that lists tables page by page and creates none."""
    paths = []

    def answer(request):
        paths.append(request.path)
        if request.method == "POST":
            return 200, {}, b'{"success": false, "error": {"code": "No"}}'
        if request.path.startswith("/account"):
            return 200, {}, b"{}"
        return 200, {}, json.dumps(pages(len(paths))).encode()

    return paths, answer


def wrap(result, **pagination):
    return {"success": True, "result": result} | ({"pagination": pagination} if pagination else {})


@pytest.mark.parametrize("name", ["other", "missing"])
def test_a_list_without_pages_is_requested_twice_at_most(http_service, open_session, name):
    paths, answer = listing(lambda number: wrap([{"id": 1, "name": "other"}]))
    with http_service(answer) as url, cd.Session(api_key="hush", base_url=url, api_version="2025.3") as session:
        if name == "missing":
            with pytest.raises(cd.TableNotFoundError, match="number of tables: 1"):
                FRAME.clicdata.append(name, session=session)
        else:
            with pytest.raises(cd.TableExistsError):
                FRAME.clicdata.push(name, session=session)
    assert len(paths) <= 4


def test_a_list_with_endlessly_repeated_pages_raises(http_service):
    _, answer = listing(lambda number: wrap([{"id": 1, "name": "other"}], has_more_results=True))
    with (
        http_service(answer) as url,
        cd.Session(api_key="hush", base_url=url, api_version="2025.3") as session,
        pytest.raises(cd.IncompleteReadError, match="list of tables is incomplete: 1 were received"),
    ):
        FRAME.clicdata.push("T", session=session)


@pytest.mark.parametrize("count", [0, 1, 265])
def test_the_count_of_a_filtered_list_may_be_that_of_the_account(http_service, count):
    _, answer = listing(lambda number: {"count": count, "data": []})
    with (
        http_service(answer) as url,
        cd.Session(api_key="hush", base_url=url, api_version="unversioned") as session,
    ):
        receipt = FRAME.clicdata.push("T", dry_run=True, session=session)
    assert receipt.status == "dry_run"


def test_an_incomplete_list_does_not_prove_that_a_table_is_missing(http_service):
    _, answer = listing(lambda number: {"count": 3, "data": [{"rec_id": 1, "name": 5}]})
    with (
        http_service(answer) as url,
        cd.Session(api_key="hush", base_url=url, api_version="unversioned") as session,
        pytest.raises(cd.IncompleteReadError, match="there are 3"),
    ):
        cd.read_clicdata("T", session=session)


@pytest.mark.parametrize("api_version", ["2025.3", "unversioned"])
@pytest.mark.parametrize("refusals", ["status", "ok"])
@pytest.mark.parametrize("if_exists", ["fail", "append"])
def test_a_name_that_differs_only_in_case_is_reported_as_taken(serve, api_version, refusals, if_exists):
    sandbox, session = serve(api_version, assume=Assumptions(refusal_status=refusals))
    receipt = FRAME.clicdata.push("Flights", session=session)
    with pytest.raises(cd.TableExistsError, match=rf"'Flights' \(RecId {receipt.rec_id}\).*'FLIGHTS'"):
        FRAME.clicdata.push("FLIGHTS", if_exists=if_exists, session=session)
    assert sandbox.ledger.count("Flights") == 2


@pytest.mark.parametrize("api_version", ["2025.3", "unversioned"])
def test_an_error_under_http_200_has_the_type_of_its_code(serve, api_version):
    sandbox, session = serve(api_version, assume=Assumptions(refusal_status="ok"), scopes=["data_read", "table_read"])
    with pytest.raises(cd.TableNotFoundError):
        cd.read_clicdata(99999, session=session)
    with pytest.raises(cd.PermissionDeniedError) as caught:
        FRAME.clicdata.push("T", session=session)
    assert (caught.value.status, caught.value.ambiguous) == (200, False)
    assert not sandbox.ledger.tables()


@pytest.mark.parametrize("api_version", ["2025.3", "unversioned"])
def test_an_unexplained_refusal_of_a_create_under_http_200_created_no_table(serve, api_version):
    sandbox, session = serve(api_version)
    sandbox.faults.error_200("Oddity", "It cannot be.", operation="create")
    with pytest.raises(cd.ApiError, match="Oddity: It cannot be") as caught:
        FRAME.clicdata.push("T", session=session)
    assert not isinstance(caught.value, cd.AmbiguousWriteError)
    assert FRAME.clicdata.push("T", session=session).sent == 2


@pytest.mark.parametrize("api_version", ["2025.3", "unversioned"])
@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("row_id", ["id", "rec_id"])
def test_the_row_id_is_not_required_in_a_frame(serve, api_version, typed, row_id):
    sandbox, session = serve(api_version, assume=Assumptions(column_metadata=typed, row_id=row_id))
    FRAME.clicdata.push("T", session=session)
    receipt = FRAME.clicdata.append("T", resume=False, session=session)
    assert receipt.sent == 2
    assert [row["a"] for row in sandbox.ledger.rows("T")] == [1, 2, 1, 2]
    # Without a type, it may be a column of the user.
    assert [f"No value is sent for '{row_id}'" in note for note in receipt.notes] == ([] if typed else [True])


UNUSUAL_NAMES = [
    "Ümläut",
    "a/b",
    "a?b=c&d",
    "100 %",
    "#1",
    'say "hi"',
    "1234",
    " spaces ",
    "日本",
    "a+b",
    "..",
    "new\nline",
]


@pytest.mark.parametrize("unusual", UNUSUAL_NAMES)
def test_unusual_names_are_found(serve, unusual):
    for api_version in ("2025.3", "unversioned"):
        _, session = serve(api_version)
        receipt = FRAME.clicdata.push(unusual, session=session)
        assert FRAME.clicdata.append(unusual, resume=False, session=session).rec_id == receipt.rec_id
        assert len(cd.read_clicdata(unusual, session=session)) == 4


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda s: FRAME.clicdata.push("T", column_types=["a"], session=s), TypeError, "column_types= takes a dict"),
        (lambda s: FRAME.clicdata.schema("text"), TypeError, "column_types= takes a dict"),
        (lambda s: FRAME.clicdata.push("\ud800", session=s), ValueError, "surrogate"),
        (lambda s: FRAME.clicdata.push("T", description="\ud800", session=s), ValueError, "surrogate"),
        (lambda s: FRAME.clicdata.push("T", description=5, session=s), TypeError, "description must be text"),
        (lambda s: FRAME.clicdata.push("T", progress="yes", session=s), TypeError, "progress="),
        (lambda s: FRAME.clicdata.delete_rows("T", on=None, session=s), TypeError, "on= must be"),
        (lambda s: FRAME.clicdata.delete_rows("T", on=5, session=s), TypeError, "on= must be"),
        (lambda s: FRAME.clicdata.append("", session=s), ValueError, "not be blank"),
        (lambda s: FRAME.clicdata.append(0, session=s), ValueError, "not a RecId"),
        (lambda s: FRAME.clicdata.append(True, session=s), TypeError, "RecId"),
        (lambda s: FRAME.clicdata.append("T", session="me"), TypeError, "session= must be a Session"),
    ],
)
def test_invalid_arguments_are_refused_before_the_first_request(serve, call, kind, message):
    sandbox, session = serve()
    with pytest.raises(kind, match=message):
        call(session)
    assert len(sandbox.requests) == 0


def test_a_recid_in_quotes_is_a_name_and_the_error_suggests_a_number(session):
    with pytest.raises(cd.TableNotFoundError, match="To use a RecId, pass a number without quotes: 99999"):
        cd.read_clicdata("99999", session=session)
