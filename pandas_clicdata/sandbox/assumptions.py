"""What the sandbox does where no public client shows what ClicData does, and the switches to vary it."""

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
"""The values of each switch of `Assumptions`; the first value is the default."""


@dataclass(frozen=True)
class Assumptions:
    """Switches for assumed behaviours, to test a client against the alternatives.

    Parameters
    ----------
    column_metadata : bool, default True
        Reads list the columns with their types beside the rows.
    created_as : {"integer", "object"}, default "integer"
        The result of a versioned create: the id, or an object with the id.
    pagination : {"full", "minimal", "bare"}, default "full"
        The pagination of a versioned reply. ``"minimal"``: ``result_count``, ``current_page``, ``has_more_results``.
        ``"bare"``: only ``last_page``.
    datetime_form : {"space", "iso_offset"}, default "space"
        How datetimes are read back: as they were written, or as ISO 8601 with the offset ``+02:00``.
    row_id : {None, "id", "rec_id"}, default None
        Every table starts with a row id column of this name and type, which the server fills.
    refusal_status : {"status", "ok"}, default "status"
        ``"ok"``: refusals have the HTTP status 200, except the 401 of invalid credentials, unknown routes and scripted
        faults.
    insert_counts : bool, default True
        A versioned insert returns ``rows_inserted`` and ``rows_found``.

    Raises
    ------
    ValueError
        A switch does not take the value.

    Examples
    --------
    >>> Assumptions(row_id="rec_id").row_id
    'rec_id'
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
            # 1 == True, but 1 is not a value of a switch.
            if not any(
                value is choice or (isinstance(choice, str) and value == choice) for choice in CHOICES[field.name]
            ):
                known = ", ".join(map(repr, CHOICES[field.name]))
                raise ValueError(f"Assumptions.{field.name} is {value!r}; it must be one of {known}.")


ASSUMED: tuple[tuple[str, str, str | None], ...] = (
    ("values", "A percentage is a fraction: 0.25 is 25 %.", None),
    ("values", "A checkbox is true or false, a date is 'YYYY-MM-DD', a dropdown is its text.", None),
    ("values", "A datetime has '.ffffff' (six digits) only if it is not zero.", None),
    ("values", "A datetime is read back as it was written.", "datetime_form"),
    ("values", "A value of another JSON type than that of its column is a 400; nothing is converted.", None),
    ("values", "Numbers keep every digit: up to 1,000 characters, exponents up to four digits.", None),
    ("tables", "Table names are case-insensitive; a taken name is a 409.", None),
    (
        "tables",
        "Column names of a table are case-insensitive when the table is created, and case-sensitive afterwards.",
        None,
    ),
    ("tables", "Names have 1 to 255 characters; a table has 1 to 1,900 columns.", None),
    ("tables", "No table has a row id column.", "row_id"),
    ("tables", "A versioned create returns the id itself.", "created_as"),
    ("list", "Unversioned entries have 'rec_id' and 'name'; 'source' is 'api' or 'file'.", None),
    (
        "list",
        "The filter 'name' is an exact name, case-insensitive; 'uniquekeyavailable' and 'refresh' (the table has a "
        "source) are true or false.",
        None,
    ),
    ("list", "GET /data exists in versions below 2025.3, GET /table from 2025.3 on.", None),
    ("read", "Rows are in the order of insertion; an updated row keeps its place.", None),
    ("read", "A page has 1,000 rows; a page past the end is empty; 'page' below 1 is a 400.", None),
    ("read", "A list 'columns' of names and types is beside the rows.", "column_metadata"),
    ("read", "Versioned replies have all fields of the pagination.", "pagination"),
    (
        "versions",
        "Every change of a row creates a version. Versions are numbered from 1, which is the empty table, or the file "
        "as it was first loaded; an entry has 'version', 'creation_date', 'row_count'.",
        None,
    ),
    ("versions", "A version has the columns of the table at that time; a table without history has no versions.", None),
    (
        "sources",
        "A table can have a CSV or Parquet file as its source. A table that was created through the API has no source, "
        "and a refresh of it is a 400.",
        None,
    ),
    (
        "sources",
        "A CSV column is text unless every value, as written, is a JSON number, a date, a datetime, or true or false; "
        "'00123' stays text, an empty field is null, a quoted empty field is an empty text.",
        None,
    ),
    (
        "refresh",
        "recreate, mode 'rebuild': new columns and rows. reload and rebuild, mode 'reload': new rows. append: add all "
        "rows of the file. update: rows whose unique key is in the file get its values. updateappend: also add the "
        "other rows of the file.",
        None,
    ),
    (
        "refresh",
        "A file must have exactly the column names of its table, except for recreate. update and updateappend need a "
        "unique key; a duplicate key in the file is a 400 for every method. A refused refresh changes nothing.",
        None,
    ),
    ("refresh", "POST /data/{id}/{verb} exists without a version and below 2025.3; it needs no body.", None),
    (
        "schedules",
        "A run starts with its trigger. The first request after the duration of the run executes it; a table that "
        "fails does not stop the others. A trigger during a run is a 409.",
        None,
    ),
    (
        "schedules",
        "'status' is idle, running, succeeded or failed; 'last_end_date' is null during a run, 'next_run_date' is "
        "always null, 'message' is null except after a failure.",
        None,
    ),
    ("append", "A column that a row does not have is null.", None),
    ("append", "At most 500 rows per request for every append, not only for insert; no rows is a 400.", None),
    ("append", "One refused row refuses the whole request.", None),
    (
        "append",
        "A versioned insert returns both counts; POST /table/{id}, updates and deletes return an empty result, or "
        'without a version {"success": true}.',
        "insert_counts",
    ),
    ("update", 'The body is {"multiplerows", "find", "update"}; all three keys are required.', None),
    (
        "find",
        "Values are compared by value: numbers exactly, datetimes as points in time, text by every character; null "
        "matches null. An empty find is a 400. A find without a match is a success.",
        None,
    ),
    ("refusals", "Refusals have a specific status: 400, 401, 403, 404, 405, 409, 413 or 415.", "refusal_status"),
    (
        "refusals",
        "A request is checked in this order: credentials, version, scope, body.",
        None,
    ),
    ("refusals", "An unknown version is a 400.", None),
    ("refusals", "Bodies must be sent as application/json (else 415), that of the token endpoint as a form.", None),
    (
        "scopes",
        "/data needs data_read or data_write, /table needs table_read or table_write, account, activity and profile "
        "need account_read, /schedule needs schedule_read, its trigger schedule_write. Basic and API key have all "
        "scopes of the account.",
        None,
    ),
    (
        "scopes",
        "/user needs user_read or user_write, /team needs team_read or team_write, /dashboard needs dashboard_read.",
        None,
    ),
    ("tokens", "Errors of the token endpoint are those of RFC 6749; 'scope' may ask for fewer scopes.", None),
    (
        "account",
        "Activity is a list of objects in both dialects: one for each user ('email_address', 'last_login_date', "
        "'login_count') and for each dashboard ('name', 'view_count', 'last_view_date').",
        None,
    ),
    (
        "account",
        "A granted access token counts as a login of the owner of the account. A request by Basic or API key counts as "
        "a login if the previous one of its user was more than 30 minutes ago, or before a restart. A picture that is "
        "requested by itself counts as a view; a thumbnail in the list does not.",
        None,
    ),
    (
        "entries",
        "Users, teams and dashboards have their id as 'rec_id' without a version, as 'id' with one. A versioned list "
        "is the result itself, on one page unless 'page' or 'page_size' is given.",
        None,
    ),
    ("entries", "A POST that creates a user or a team returns its id in the form of a table's id.", "created_as"),
    (
        "entries",
        'Other POSTs, PUTs and DELETEs return {"success": true}, in the versioned dialect an empty result.',
        None,
    ),
    ("entries", "A body with an unknown field is a 400; an unknown id is a 404.", None),
    (
        "users",
        "A user has an id, 'email_address', 'first_name', 'last_name', 'last_login_date' and the ids of their 'teams'. "
        "POST needs the address and may have both names and a 'password'; without one, the user cannot sign in. PUT "
        "takes any of the first three.",
        None,
    ),
    (
        "users",
        "E-mail addresses are case-insensitive, also for signing in; a taken address is a 409. Addresses and names of "
        "users have at most 255 characters; a name may be empty.",
        None,
    ),
    (
        "users",
        "PUT /user/{id}/password takes a 'password' of 1 to 255 characters, which is valid at once; the old password "
        "becomes invalid. Any user may sign in by Basic, with the only client_id.",
        None,
    ),
    (
        "users",
        "The user with the id 1 owns the account: client, API key and authorization codes act for this user, and "
        "deleting this user is a 409. GET /profile/user returns the user who sends the request.",
        None,
    ),
    ("users", "A deleted user is removed from every team; ids are not used again.", None),
    (
        "teams",
        "A team has an id, 'name', 'description', the ids of its 'users', and 'parameters', each with 'name' and "
        "'value'. Names are case-insensitive; a taken name is a 409. PUT takes 'name', 'description' or both.",
        None,
    ),
    (
        "teams",
        "Adding a user who is in the team is a success that changes nothing; removing a user who is not in it is a "
        "404.",
        None,
    ),
    (
        "teams",
        "POST of a parameter adds it or sets its value; names are case-sensitive, a value is a string. "
        'DELETE takes {"name"}; an unknown name is a 404.',
        None,
    ),
    ("teams", "DELETE /team/{id} and DELETE /user/{id} take no body; a body with fields is a 400.", None),
    (
        "dashboards",
        "An entry has an id, 'name', 'description', 'creation_date' and 'last_update_date', and a 'thumbnail' if "
        "'includethumbnail' is true. The filter 'name' is an exact name, case-insensitive.",
        None,
    ),
    (
        "dashboards",
        "Pictures are PNGs in base64: text/plain without a version, a string in the versioned result. A thumbnail has "
        "320 by 200 pixels, a snapshot 1280 by 800; both show the current data.",
        None,
    ),
)
"""Every assumed behaviour: area, what the sandbox does, and the switch of `Assumptions` that changes it, if any."""
