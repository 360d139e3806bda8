"""What the sandbox does where nobody has shown what ClicData does, and the switches to vary it."""

from __future__ import annotations

from dataclasses import dataclass, fields

CHOICES: dict[str, tuple[object, ...]] = {
    "column_metadata": (True, False),
    "created_as": ("integer", "object"),
    "pagination": ("full", "minimal", "bare"),
    "datetime_form": ("space", "iso_offset"),
    "row_id": (None, "id", "rec_id"),
    "refusal_status": ("status", "ok"),
    "insert_counts": (True, False),
}
"""The values that each switch of `Assumptions` takes; the first is the default."""


@dataclass(frozen=True)
class Assumptions:
    """Switches for behaviours that are assumed, so that a client can be tested against the other possibilities.

    Parameters
    ----------
    column_metadata : bool, default True
        Reads list the columns with their types beside the rows.
    created_as : {"integer", "object"}
        What a versioned create answers: the id, or an object with it.
    pagination : {"full", "minimal", "bare"}
        How much a versioned reply says of its paging. Minimal: ``result_count``, ``current_page``,
        ``has_more_results``. Bare: only ``last_page``.
    datetime_form : {"space", "iso_offset"}
        How datetimes are read back: as they were written, or as ISO 8601, at the offset ``+02:00``.
    row_id : {None, "id", "rec_id"}
        Every table has a row id column of this name and type first, filled by the server.
    refusal_status : {"status", "ok"}
        ``"ok"``: refusals come with HTTP 200. The 401 of a bad token, unknown routes and scripted faults keep theirs.
    insert_counts : bool, default True
        A versioned insert answers with ``rows_inserted`` and ``rows_found``.
    """

    column_metadata: bool = True
    created_as: str = "integer"
    pagination: str = "full"
    datetime_form: str = "space"
    row_id: str | None = None
    refusal_status: str = "status"
    insert_counts: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # 1 == True, but a switch that is set to 1 is a slip.
            if not any(
                value is choice or (isinstance(choice, str) and value == choice) for choice in CHOICES[field.name]
            ):
                known = ", ".join(map(repr, CHOICES[field.name]))
                raise ValueError(f"Assumptions.{field.name} is {value!r}; it takes {known}.")


ASSUMED: tuple[tuple[str, str, str | None], ...] = (
    ("values", "A percentage is a fraction: 0.25 is 25 %.", None),
    ("values", "A checkbox is true or false, a date 'YYYY-MM-DD', a dropdown its text.", None),
    ("values", "A datetime has '.ffffff' (six digits) only where it is not zero.", None),
    ("values", "A datetime is read back as it was written.", "datetime_form"),
    ("values", "A value of another JSON type than its column's is refused with 400; nothing is converted.", None),
    ("values", "Numbers keep every digit as written: up to 1,000 characters, exponents up to four digits.", None),
    ("tables", "Table names are compared without regard to case; a taken name is a 409.", None),
    (
        "tables",
        "Column names of a table are compared without regard to case when it is made, exactly afterwards.",
        None,
    ),
    ("tables", "Names have 1 to 255 characters; a table has 1 to 1,900 columns.", None),
    ("tables", "No table has a row id column.", "row_id"),
    ("tables", "A versioned create answers with the id itself.", "created_as"),
    ("list", "Unversioned entries have 'rec_id' and 'name'; 'source' is 'api' or 'file'.", None),
    (
        "list",
        "The filter 'name' is an exact name, without regard to case; 'uniquekeyavailable' and 'refresh' (whether there "
        "is a source) are true or false.",
        None,
    ),
    ("list", "GET /data answers under versions below 2025.3, GET /table from then on.", None),
    ("read", "Rows come in the order they were inserted; an updated row keeps its place.", None),
    ("read", "A page has 1,000 rows; a page past the end is empty; 'page' below 1 is a 400.", None),
    ("read", "A 'columns' list of names and types stands beside the rows.", "column_metadata"),
    ("read", "Versioned replies carry all paging fields.", "pagination"),
    (
        "versions",
        "Every change that touches a row makes a version; they count from 1, which is the empty table, or the file "
        "that it was first loaded from; an entry has 'version', 'creation_date', 'row_count'.",
        None,
    ),
    ("versions", "A version has the columns that the table had then; a table without history has no versions.", None),
    (
        "sources",
        "A table is fed from a CSV or Parquet file; made through the API it has no source, and a refresh is a 400.",
        None,
    ),
    (
        "sources",
        "A column of a CSV is text unless every value is, as it is written, a JSON number, a day, a moment or a truth; "
        "'00123' stays text, an empty field is null, a quoted empty one an empty text.",
        None,
    ),
    (
        "refresh",
        "recreate, mode 'rebuild': columns and rows anew. reload and rebuild, mode 'reload': rows anew. append: all "
        "rows of the file. update: rows whose unique key is in the file get its values. updateappend: the others "
        "too.",
        None,
    ),
    (
        "refresh",
        "A file must have exactly the columns of its table, by name, but for recreate. Update and updateappend need a "
        "unique key; a key twice in the file is a 400, for every method. A refused refresh changes nothing.",
        None,
    ),
    ("refresh", "POST /data/{id}/{verb} exists without a version and below 2025.3; it needs no body.", None),
    (
        "schedules",
        "A run begins with its trigger and is carried out by the first request after the time it takes; one failing "
        "table does not hold up the others. A trigger while a run is under way is a 409.",
        None,
    ),
    (
        "schedules",
        "'status' is idle, running, succeeded or failed; 'last_end_date' is null while a run is under way, "
        "'next_run_date' always, 'message' but after a failure.",
        None,
    ),
    ("append", "A column that a row does not name is null.", None),
    ("append", "At most 500 rows a request for every append, not only for insert; no rows at all is a 400.", None),
    ("append", "One refused row refuses the whole request.", None),
    (
        "append",
        "A versioned insert answers with both counts; POST /table/{id}, updates and deletes with an empty "
        'result, in the unversioned dialect with {"success": true}.',
        "insert_counts",
    ),
    ("update", 'The body is {"multiplerows", "find", "update"}; all three are needed.', None),
    (
        "find",
        "Values compare by what they mean: numbers exactly, datetimes as moments, text by every character; null "
        "finds null. An empty find is a 400. Finding nothing is a success.",
        None,
    ),
    ("refusals", "Refusals have the status that fits: 400, 401, 403, 404, 405, 409, 413, 415.", "refusal_status"),
    (
        "refusals",
        "Who asks is checked before the version, the version before the scope, the scope before the body.",
        None,
    ),
    ("refusals", "An unknown version is a 400.", None),
    ("refusals", "Bodies must come as application/json (415), the token's as a form.", None),
    (
        "scopes",
        "/data needs data_read or data_write, /table table_read or table_write, account, activity and profile "
        "account_read, /schedule schedule_read, its trigger schedule_write. Basic and API key have "
        "all scopes of the account.",
        None,
    ),
    (
        "scopes",
        "/user needs user_read or user_write, /team team_read or team_write, /dashboard dashboard_read.",
        None,
    ),
    ("tokens", "Errors of the token endpoint are those of RFC 6749; 'scope' may ask for less than all.", None),
    (
        "account",
        "Activity is a list of objects, in either dialect: one for each user ('email_address', 'last_login_date', "
        "'login_count') and for each dashboard ('name', 'view_count', 'last_view_date').",
        None,
    ),
    (
        "account",
        "An access token that is granted is a login of the account's owner. A request by Basic or API key is one when "
        "the last such of its user was more than 30 minutes ago, or in an earlier run. A picture that is fetched by "
        "itself is a view, a thumbnail in the list is none.",
        None,
    ),
    (
        "entries",
        "Users, teams and dashboards have their id as 'rec_id' without a version and as 'id' under one. A versioned "
        "list stands bare in the result, all on one page unless 'page' or 'page_size' is given.",
        None,
    ),
    ("entries", "A POST that makes a user or a team answers with its id, as that of a table does.", "created_as"),
    (
        "entries",
        'Other POSTs, PUTs and DELETEs answer with {"success": true}, in the versioned dialect with an empty result.',
        None,
    ),
    ("entries", "A body with a field that is not known is a 400; an id that is not known is a 404.", None),
    (
        "users",
        "A user has an id, 'email_address', 'first_name', 'last_name', 'last_login_date' and the ids of their "
        "'teams'. POST takes the address, and may have both names and a 'password', without which nobody can sign "
        "in; PUT any of the first three.",
        None,
    ),
    (
        "users",
        "E-mail addresses are compared without regard to case, for signing in too; a taken one is a 409. Addresses "
        "and names of people have at most 255 characters; a name may be empty.",
        None,
    ),
    (
        "users",
        "PUT /user/{id}/password takes a 'password' of 1 to 255 characters, which is good at once, and the old one no "
        "more. Any user may sign in by Basic, with the one client_id there is.",
        None,
    ),
    (
        "users",
        "The user with the id 1 owns the account: client, API key and authorization codes act for them, and deleting "
        "them is a 409. GET /profile/user is who asks.",
        None,
    ),
    ("users", "A user who is deleted leaves every team; ids are not used again.", None),
    (
        "teams",
        "A team has an id, 'name', 'description', the ids of its 'users', and 'parameters', each with 'name' and "
        "'value'. Names are compared without regard to case; a taken one is a 409. PUT takes any of name and "
        "description.",
        None,
    ),
    (
        "teams",
        "Adding a user who is in the team is a success that changes nothing; removing one who is not is a 404.",
        None,
    ),
    (
        "teams",
        "POST of a parameter adds it or gives it a new value; names are compared exactly, a value is a string. "
        'DELETE takes {"name"}; one that is not there is a 404.',
        None,
    ),
    ("teams", "DELETE /team/{id} and DELETE /user/{id} take no body; one with fields is a 400.", None),
    (
        "dashboards",
        "An entry has an id, 'name', 'description', 'creation_date' and 'last_update_date', and a 'thumbnail' when "
        "'includethumbnail' is true. The filter 'name' is an exact name, without regard to case.",
        None,
    ),
    (
        "dashboards",
        "Pictures are PNGs in base64: text/plain without a version, a string in the versioned result. A thumbnail has "
        "320 by 200 pixels, a snapshot 1280 by 800; both show the data as it is now.",
        None,
    ),
)
"""Every assumed behaviour: area, what the sandbox does, and the switch of `Assumptions` that changes it, if any."""
