"""What the sandbox does where no public client shows what ClicData does, and the switches to vary it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

CHOICES: dict[str, tuple[Any, ...]] = {
    "column_metadata": (True, False),
    "created_as": ("integer", "object"),
    "pagination": ("full", "minimal", "bare"),
    "datetime_form": ("space", "iso_offset"),
    "row_id": (None, "id", "rec_id"),
    "refusal_status": ("status", "ok"),
    "insert_counts": (True, False),
    "trailing_slashes": (True, False),
    "row_limit": ("insert", "all", "none"),
    "single_schedule": ("list", "object"),
    "version_headers": (True, False),
    "newest_version": ("2025.4", "2025.3", "2022.01", "2021.08"),
    "update_key": ("data", "update", "either"),
    "unknown_update_key": ("refused", "ignored", "cleared"),
    "find_text": ("exact", "ignore_case"),
    "find_numbers": ("exact", "double"),
    "find_datetimes": ("exact", "seconds"),
    "find_nulls": ("match", "nothing"),
    "refused_rows": ("request", "row"),
    "duplicate_rows": ("kept", "dropped"),
    "row_order": ("insertion", "newest_first"),
    "name_case": ("insensitive", "sensitive"),
    "refresh_result": ("success", "empty"),
    "refresh_without_source": ("unchanged", "refused"),
    "versions_kept": ("all", "capped", "cleared"),
    "account_usage": ("nested", "flat"),
    "account_domain": ("subdomain", "host"),
    "value_conversion": ("lenient", "strict"),
    "row_id_in_create": (True, False),
    "users": ("licensed", "plain"),
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
    trailing_slashes : bool, default True
        Every path is also answered with a trailing slash, as in ``GET /data/``. False: such a path is a 404.
    row_limit : {"insert", "all", "none"}, default "insert"
        Which appends take at most 500 rows: only ``POST /data/{id}/insert``, every append, or none.
    single_schedule : {"list", "object"}, default "list"
        ``GET /schedule/{id}`` returns a list with one schedule, in the form of the list of all, or the schedule itself.
    version_headers : bool, default True
        Replies have the headers ``api-supported-versions`` and ``api-deprecated-versions``, unless the sandbox has only
        the unversioned dialect.
    newest_version : {"2025.4", "2025.3", "2022.01", "2021.08"}, default "2025.4"
        The newest known version; all of 2021.08, 2022.01, 2024.1, 2025.3 and 2025.4 up to this one are known. 2024.1
        behaves as 2022.01, 2025.4 as 2025.3.
    update_key : {"data", "update", "either"}, default "data"
        The key of the new values in the body of ``PUT /data/{id}/row``. ``"either"``: one of both keys.
    unknown_update_key : {"refused", "ignored", "cleared"}, default "refused"
        What an update does if its new values are under another key: it is a 400, it succeeds and changes nothing, or it
        succeeds and sets every column that is not in ``find`` to null in the rows that match. Except with
        ``"refused"``, other keys beside the right one are ignored.
    find_text : {"exact", "ignore_case"}, default "exact"
        How conditions of ``find`` compare text and dropdown. ``"ignore_case"``: regardless of case and of spaces at the
        end.
    find_numbers : {"exact", "double"}, default "exact"
        How conditions of ``find`` compare numbers. ``"double"``: equal if they are the same double.
    find_datetimes : {"exact", "seconds"}, default "exact"
        How conditions of ``find`` compare datetimes. ``"seconds"``: without fractions of a second.
    find_nulls : {"match", "nothing"}, default "match"
        A condition of ``find`` with null matches null, or no row.
    refused_rows : {"request", "row"}, default "request"
        What a row that does not fit refuses: the whole append, or only itself. With ``"row"``, an append stores the
        other rows and succeeds; ``rows_inserted`` is lower than ``rows_found``.
    duplicate_rows : {"kept", "dropped"}, default "kept"
        ``"dropped"``: an append does not store a row that equals another row of the same request or of the table in
        every column but the row id; ``rows_inserted`` is lower than ``rows_found``.
    row_order : {"insertion", "newest_first"}, default "insertion"
        The order of the rows of a table or of a version. The first row of a ``find`` is the first inserted in both.
    name_case : {"insensitive", "sensitive"}, default "insensitive"
        ``"sensitive"``: names of tables may differ only in case.
    refresh_result : {"success", "empty"}, default "success"
        The result of ``POST /table/{id}/refresh``: ``{"success": true}`` or ``{}``.
    refresh_without_source : {"unchanged", "refused"}, default "unchanged"
        A refresh of a table without source, also by a schedule, succeeds and changes nothing, or is a 400.
    versions_kept : {"all", "capped", "cleared"}, default "all"
        Which versions of a table are listed and can be read: all, only the newest three, or none.
    account_usage : {"nested", "flat"}, default "nested"
        ``"nested"``: ``GET /account`` without a version has the objects ``usage`` and ``limits``. ``"flat"``: it has
        only the fields of the versioned result.
    account_domain : {"subdomain", "host"}, default "subdomain"
        The ``domain`` of the account: ``"sandbox"`` or ``"sandbox.example"``.
    value_conversion : {"lenient", "strict"}, default "lenient"
        Whether values of rows and of conditions are converted to the type of their column. ``"lenient"``: text and
        dropdown take a number, stored as it was written, and true or false; number and percentage take a string with a
        JSON number; checkbox takes 0, 1, and "true" or "false" in any case; datetime takes ISO 8601, with up to six
        digits of a second, and a date; date takes a datetime at midnight in UTC. ``"strict"``: another JSON type than
        that of the column is a 400.
    row_id_in_create : bool, default True
        A create may have one column of the type ``id`` or ``rec_id``, with any name, which becomes the row id column of
        the table: the server fills it, it is the first in reads, it has no place in rows of values, and its value in
        appends and updates must be null. It replaces the column of ``row_id``. False: such a create is a 400.
    users : {"licensed", "plain"}, default "licensed"
        ``"licensed"``: a user has a ``licence``, ``"editor"`` or ``"viewer"``, which POST and PUT take, also under the
        key ``license``; a new user is an editor unless the body says otherwise, and needs a first name that is not
        empty. ``"plain"``: a user has no licence, and names are optional.

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
    trailing_slashes: bool = True
    row_limit: str = "insert"
    single_schedule: str = "list"
    version_headers: bool = True
    newest_version: str = "2025.4"
    update_key: str = "data"
    unknown_update_key: str = "refused"
    find_text: str = "exact"
    find_numbers: str = "exact"
    find_datetimes: str = "exact"
    find_nulls: str = "match"
    refused_rows: str = "request"
    duplicate_rows: str = "kept"
    row_order: str = "insertion"
    name_case: str = "insensitive"
    refresh_result: str = "success"
    refresh_without_source: str = "unchanged"
    versions_kept: str = "all"
    account_usage: str = "nested"
    account_domain: str = "subdomain"
    value_conversion: str = "lenient"
    row_id_in_create: bool = True
    users: str = "licensed"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # 1 == True, but 1 is not a value of a switch.
            if not any(
                value is choice or (isinstance(choice, str) and value == choice) for choice in CHOICES[field.name]
            ):
                known = ", ".join(map(repr, CHOICES[field.name]))
                raise ValueError(f"Assumptions.{field.name} is {value!r}; it must be one of {known}.")


@dataclass(frozen=True)
class Assumption:
    """A behaviour of the sandbox.

    Attributes
    ----------
    name : str
        A short name: that of the switch, except for a second behaviour of the same switch.
    area : str
        The part of the API.
    behaviour : str
        What the sandbox does, with the default value of the switch.
    tag : {"S", "O", "P", "W", "A"}
        The evidence: the documents of the project (S), a sample of the vendor (O), public clients (P), public code that
        was perhaps never run (W), or none (A).
    switch : str, optional
        The switch of `Assumptions` that changes the behaviour.
    """

    name: str
    area: str
    behaviour: str
    tag: Literal["S", "O", "P", "W", "A"]
    switch: str | None = None


ASSUMED: tuple[Assumption, ...] = (
    Assumption("percentage_fraction", "values", "A percentage is a fraction: 0.25 is 25 %.", "A"),
    Assumption(
        "value_forms", "values", "A checkbox is true or false, a date is 'YYYY-MM-DD', a dropdown is its text.", "A"
    ),
    Assumption("text_characters", "values", "Text keeps every character; an empty text is not null.", "A"),
    Assumption("datetime_fraction", "values", "A datetime has '.ffffff' (six digits) only if it is not zero.", "A"),
    Assumption("datetime_form", "values", "A datetime is read back as it was written.", "W", "datetime_form"),
    Assumption("datetime_zone", "values", "A datetime without an offset is in UTC.", "W"),
    Assumption(
        "value_conversion",
        "values",
        "Where its meaning is clear, a value of another JSON type is converted to the type of its column: a number "
        "to text, '3' to a number, 0 and 1 to a checkbox, ISO 8601 to a datetime. Any other value is a 400.",
        "A",
        "value_conversion",
    ),
    Assumption(
        "number_digits", "values", "Numbers keep every digit: up to 1,000 characters, exponents up to four digits.", "A"
    ),
    Assumption("unique_names", "tables", "A table's name is unique; a taken name is a 409.", "S"),
    Assumption("name_case", "tables", "Names of tables that differ only in case are the same name.", "A", "name_case"),
    Assumption(
        "column_name_case",
        "tables",
        "Column names of a table are case-insensitive when the table is created, and case-sensitive afterwards.",
        "A",
    ),
    Assumption("name_lengths", "tables", "Names have 1 to 255 characters; a table has 1 to 1,900 columns.", "A"),
    Assumption("row_id", "tables", "A table has a row id column only if it was created with one.", "P", "row_id"),
    Assumption(
        "row_id_in_create",
        "tables",
        "A create may have one column of the type 'id' or 'rec_id', which the server fills.",
        "P",
        "row_id_in_create",
    ),
    Assumption(
        "row_id_place",
        "tables",
        "A row id column is the first in reads and can be used in find. It has no place in rows of values; its "
        "value in appends and updates must be null.",
        "A",
    ),
    Assumption("created_as", "tables", "A versioned create returns the id itself.", "A", "created_as"),
    Assumption(
        "list_entries", "list", "Unversioned entries have 'rec_id' and 'name'; 'source' is 'api' or 'file'.", "A"
    ),
    Assumption(
        "list_filters",
        "list",
        "The filter 'name' is an exact name, case-insensitive; 'uniquekeyavailable' and 'refresh' (the table has a "
        "source) are true or false.",
        "A",
    ),
    Assumption("list_path", "list", "GET /data exists in versions below 2025.3, GET /table from 2025.3 on.", "P"),
    Assumption(
        "row_order", "read", "Rows are in the order of insertion; an updated row keeps its place.", "A", "row_order"
    ),
    Assumption("pages", "read", "A page has 1,000 rows; a page past the end is empty; 'page' below 1 is a 400.", "A"),
    Assumption(
        "column_metadata", "read", "A list 'columns' of names and types is beside the rows.", "A", "column_metadata"
    ),
    Assumption("pagination", "read", "Versioned replies have all fields of the pagination.", "P", "pagination"),
    Assumption(
        "paging_of_reads",
        "read",
        "A versioned read has the rows under 'data' in the result, the paging in 'pagination', and no 'has_more_data'.",
        "A",
    ),
    Assumption(
        "version_entries",
        "versions",
        "Every change of a row creates a version. Versions are numbered from 1, which is the empty table, or the "
        "file as it was first loaded; an entry has 'version', 'creation_date', 'row_count'.",
        "A",
    ),
    Assumption("versions_kept", "versions", "All versions can be read.", "W", "versions_kept"),
    Assumption(
        "version_columns",
        "versions",
        "A version has the columns of the table at that time; a table without history has no versions.",
        "A",
    ),
    Assumption(
        "sources",
        "sources",
        "A table can have a CSV or Parquet file as its source. A table that was created through the API has no source.",
        "A",
    ),
    Assumption(
        "refresh_without_source",
        "refresh",
        "A refresh of a table without source succeeds and changes nothing.",
        "A",
        "refresh_without_source",
    ),
    Assumption(
        "refresh_result",
        "refresh",
        'The result of POST /table/{id}/refresh is {"success": true}.',
        "W",
        "refresh_result",
    ),
    Assumption(
        "csv_types",
        "sources",
        "A CSV column is text unless every value, as written, is a JSON number, a date, a datetime, or true or "
        "false; '00123' stays text, an empty field is null, a quoted empty field is an empty text.",
        "A",
    ),
    Assumption(
        "refresh_methods",
        "refresh",
        "recreate, mode 'rebuild': new columns and rows. reload and rebuild, mode 'reload': new rows. append: add "
        "all rows of the file. update: rows whose unique key is in the file get its values. updateappend: also add "
        "the other rows of the file.",
        "A",
    ),
    Assumption(
        "refresh_rules",
        "refresh",
        "A file must have exactly the column names of its table, except for recreate. update and updateappend need "
        "a unique key; a duplicate key in the file is a 400 for every method. A refused refresh changes nothing.",
        "A",
    ),
    Assumption(
        "refresh_path",
        "refresh",
        "POST /data/{id}/{verb} exists without a version and below 2025.3; it needs no body.",
        "A",
    ),
    Assumption(
        "single_schedule",
        "schedules",
        "GET /schedule/{id} returns a list with one schedule, in the form of the list of all.",
        "P",
        "single_schedule",
    ),
    Assumption(
        "schedule_runs",
        "schedules",
        "A run starts with its trigger. The first request after the duration of the run executes it; a table that "
        "fails does not stop the others. A trigger during a run is a 409.",
        "A",
    ),
    Assumption(
        "schedule_states",
        "schedules",
        "'status' is idle, running, succeeded or failed; 'last_end_date' is null during a run, 'next_run_date' is "
        "always null, 'message' is null except after a failure.",
        "A",
    ),
    Assumption("missing_cells", "append", "A column that a row does not have is null.", "A"),
    Assumption(
        "row_limit",
        "append",
        "POST /data/{id}/insert takes at most 500 rows, another append any number; no rows is a 400.",
        "P",
        "row_limit",
    ),
    Assumption(
        "cells_in_a_version",
        "append",
        "POST /table/{id} takes rows of cells in every version, as /row without one.",
        "W",
    ),
    Assumption("refused_rows", "append", "One refused row refuses the whole request.", "A", "refused_rows"),
    Assumption("duplicate_rows", "append", "A row that equals another row is stored again.", "A", "duplicate_rows"),
    Assumption(
        "insert_counts",
        "append",
        "A versioned insert returns both counts; POST /table/{id}, updates and deletes return an empty result, or "
        'without a version {"success": true}.',
        "P",
        "insert_counts",
    ),
    Assumption(
        "update_key",
        "update",
        'The body is {"multiplerows", "find", "data"}; "data" has the new values.',
        "W",
        "update_key",
    ),
    Assumption(
        "unknown_update_key",
        "update",
        "A body with the new values under another key, or with an unknown key, is a 400.",
        "A",
        "unknown_update_key",
    ),
    Assumption("find_text", "find", "Text and dropdown match by every character.", "A", "find_text"),
    Assumption("find_numbers", "find", "Numbers match if they are exactly equal: 1.0 matches 1.", "A", "find_numbers"),
    Assumption(
        "find_datetimes", "find", "Datetimes match as points in time, with their fractions.", "A", "find_datetimes"
    ),
    Assumption("find_nulls", "find", "Null matches null.", "A", "find_nulls"),
    Assumption("empty_find", "find", "An empty find is a 400. A find without a match is a success.", "A"),
    Assumption(
        "refusal_status",
        "refusals",
        "Refusals have a specific status: 400, 401, 403, 404, 405, 409, 413 or 415.",
        "P",
        "refusal_status",
    ),
    Assumption(
        "order_of_checks", "refusals", "A request is checked in this order: credentials, version, scope, body.", "A"
    ),
    Assumption("unknown_version", "refusals", "An unknown version is a 400.", "A"),
    Assumption(
        "rate_limit",
        "refusals",
        "The sandbox has no rate limit. A scripted 429 has the header 'Retry-After' if the script says so.",
        "A",
    ),
    Assumption("body_size", "refusals", "A body has at most 32 MiB; a longer one is a 413.", "A"),
    Assumption(
        "strict_json",
        "refusals",
        "A body must be strict JSON in UTF-8: NaN, a key twice in an object, or half a surrogate pair is a 400.",
        "A",
    ),
    Assumption(
        "trailing_slashes", "paths", "Every path is also answered with a trailing slash.", "O", "trailing_slashes"
    ),
    Assumption(
        "newest_version",
        "API versions",
        "The known versions are 2021.08, 2022.01, 2024.1, 2025.3 and 2025.4. 2024.1 behaves as 2022.01, 2025.4 as "
        "2025.3.",
        "W",
        "newest_version",
    ),
    Assumption(
        "versioned_forms",
        "API versions",
        "An operation without a documented versioned form has the same path in a version; its reply is wrapped.",
        "A",
    ),
    Assumption(
        "version_headers",
        "API versions",
        "Replies list the versions in the headers 'api-supported-versions' and 'api-deprecated-versions'.",
        "W",
        "version_headers",
    ),
    Assumption(
        "media_types",
        "refusals",
        "Bodies must be sent as application/json (else 415), that of the token endpoint as a form.",
        "A",
    ),
    Assumption(
        "table_scopes",
        "scopes",
        "/data needs data_read or data_write, /table needs table_read or table_write, account, activity and profile "
        "need account_read, /schedule needs schedule_read, its trigger schedule_write. Basic and API key have all "
        "scopes of the account.",
        "A",
    ),
    Assumption(
        "people_scopes",
        "scopes",
        "/user needs user_read or user_write, /team needs team_read or team_write, /dashboard needs dashboard_read.",
        "A",
    ),
    Assumption(
        "token_errors",
        "tokens",
        "Errors of the token endpoint are those of RFC 6749; 'scope' may ask for fewer scopes.",
        "A",
    ),
    Assumption(
        "token_life",
        "tokens",
        "An access token is valid for an hour unless the sandbox is started with another time, a code for a minute, "
        "and a refresh token until it is used.",
        "A",
    ),
    Assumption(
        "account_usage",
        "account",
        "GET /account without a version has the objects 'usage' and 'limits', with the numbers of tables, rows and "
        "users; a limit of null is none.",
        "W",
        "account_usage",
    ),
    Assumption("account_domain", "account", "The domain of the account is a bare subdomain.", "P", "account_domain"),
    Assumption(
        "activity_fields",
        "account",
        "Activity is a list of objects in both dialects: one for each user ('email_address', 'last_login_date', "
        "'login_count') and for each dashboard ('name', 'view_count', 'last_view_date').",
        "A",
    ),
    Assumption(
        "activity_counts",
        "account",
        "A granted access token counts as a login of the owner of the account. A request by Basic or API key counts "
        "as a login if the previous one of its user was more than 30 minutes ago, or before a restart. A picture "
        "that is requested by itself counts as a view; a thumbnail in the list does not.",
        "A",
    ),
    Assumption(
        "entry_ids",
        "entries",
        "Users, teams and dashboards have their id as 'rec_id' without a version, as 'id' with one. A versioned "
        "list is the result itself, on one page unless 'page' or 'page_size' is given.",
        "A",
    ),
    Assumption(
        "people_lists",
        "entries",
        "Without a version, the list of users is under 'users', and that of teams under 'teams'.",
        "A",
    ),
    Assumption(
        "created_people",
        "entries",
        "A POST that creates a user or a team returns its id in the form of a table's id.",
        "A",
        "created_as",
    ),
    Assumption(
        "change_results",
        "entries",
        'Other POSTs, PUTs and DELETEs return {"success": true}, in the versioned dialect an empty result.',
        "A",
    ),
    Assumption("unknown_fields", "entries", "A body with an unknown field is a 400; an unknown id is a 404.", "A"),
    Assumption(
        "user_fields",
        "users",
        "A user has an id, 'email_address', 'first_name', 'last_name', 'last_login_date' and the ids of their "
        "'teams'. POST may have a 'password'; without one, the user cannot sign in. PUT takes any of the first "
        "three.",
        "A",
    ),
    Assumption(
        "users",
        "users",
        "POST needs the address and a first name, and may have a last name. A user also has a 'licence', 'editor' "
        "or 'viewer', which POST and PUT take; a new user is an editor unless the body says otherwise.",
        "W",
        "users",
    ),
    Assumption(
        "user_addresses",
        "users",
        "E-mail addresses are case-insensitive, also for signing in; a taken address is a 409. Addresses and names "
        "of users have at most 255 characters.",
        "A",
    ),
    Assumption(
        "passwords",
        "users",
        "PUT /user/{id}/password takes a 'password' of 1 to 255 characters, which is valid at once; the old "
        "password becomes invalid. Any user may sign in by Basic, with the only client_id.",
        "A",
    ),
    Assumption(
        "owner",
        "users",
        "The user with the id 1 owns the account: client, API key and authorization codes act for this user, and "
        "deleting this user is a 409. GET /profile/user returns the user who sends the request.",
        "A",
    ),
    Assumption("deleted_users", "users", "A deleted user is removed from every team; ids are not used again.", "A"),
    Assumption(
        "team_fields",
        "teams",
        "A team has an id, 'name', 'description', the ids of its 'users', and 'parameters', each with 'name' and "
        "'value'. Names are case-insensitive; a taken name is a 409. PUT takes 'name', 'description' or both.",
        "A",
    ),
    Assumption(
        "team_members",
        "teams",
        "Adding a user who is in the team is a success that changes nothing; removing a user who is not in it is a "
        "404.",
        "A",
    ),
    Assumption(
        "team_parameters",
        "teams",
        "POST of a parameter adds it or sets its value; names are case-sensitive, a value is a string. DELETE takes "
        '{"name"}; an unknown name is a 404.',
        "A",
    ),
    Assumption(
        "delete_bodies",
        "teams",
        "DELETE /team/{id} and DELETE /user/{id} take no body; a body with fields is a 400.",
        "A",
    ),
    Assumption(
        "dashboard_fields",
        "dashboards",
        "An entry has an id, 'name', 'description', 'creation_date' and 'last_update_date', and a 'thumbnail' if "
        "'includethumbnail' is true. The filter 'name' is an exact name, case-insensitive.",
        "A",
    ),
    Assumption(
        "pictures",
        "dashboards",
        "Pictures are PNGs in base64: text/plain without a version, a string in the versioned result. A thumbnail "
        "has 320 by 200 pixels, a snapshot 1280 by 800; both show the current data.",
        "A",
    ),
)
"""Every behaviour that is assumed or can be varied."""
