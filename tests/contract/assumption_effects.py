"""What the client does if an assumption about the service holds, and if it does not, and the tests that show it.

`EFFECTS` has an entry for each behaviour in `pandas_clicdata.sandbox.ASSUMED`, by its name. The docs show both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pandas_clicdata.sandbox.assumptions import Assumption


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an assumption means for the client.

    Attributes
    ----------
    client : str
        What the client does, whether the assumption holds or not.
    tests : tuple of str
        The tests that show it: the file below ``tests/`` and the name.
    examined_as : tuple of str
        Questions of the doctor about it, besides the one with the name of its switch.
    why_not_examined : str
        Why the doctor does not examine it, or only a part of it.
    """

    client: str
    tests: tuple[str, ...]
    examined_as: tuple[str, ...] = ()
    why_not_examined: str = ""

    def questions(self, assumption: Assumption) -> tuple[str, ...]:
        """Return the names of the doctor's questions about the assumption."""
        return (*([] if assumption.switch is None else [assumption.switch]), *self.examined_as)


_EFFECTS = "contract/test_assumption_effects"
_PEOPLE = "resources/test_account_dashboard_team_user"
_NEEDS_SOURCE = "It needs a table with a file as its source, which the API cannot make."
_NO_PEOPLE = "The doctor creates and changes no user and no team."
_NO_DASHBOARD = "The API cannot create a dashboard, and the doctor does not look at those of the account."
_SIMILAR = (
    "write/test_similar_keys::test_a_similar_key_in_the_table_is_refused",
    "write/test_similar_keys::test_known_exact_comparison_is_used",
    "write/test_similar_keys::test_rows_are_not_sent_again_if_a_delete_by_their_key_could_delete_another_row",
)

EFFECTS: Mapping[str, Effect] = {
    # values
    "percentage_fraction": Effect(
        client="The client sends and returns the number as it is, without a factor. If ClicData shows 0.25 as 0.25 %, "
        "multiply by 100 before you push.",
        tests=("contract/test_account::test_a_value_of_each_type_is_read_back_exactly",),
        why_not_examined="A read returns the number that was written. Only a page of ClicData shows how it is meant.",
    ),
    "value_forms": Effect(
        client="The client writes these forms. It reads a value as it comes: a number in a checkbox column stays a "
        "number, a warning is logged, and for a write with `verify=True` it is a `VerificationError`.",
        tests=(
            "contract/test_account::test_a_value_of_each_type_is_read_back_exactly",
            "column_types/test_infer::test_a_column_that_does_not_fit_its_declared_type_is_logged",
            f"{_EFFECTS}::test_a_value_that_the_service_changes_is_found_by_verify",
        ),
        examined_as=("checkbox values", "date values", "dropdown values"),
    ),
    "text_characters": Effect(
        client="The client sends and returns every character. If the service changes text, a write with `verify=True` "
        "is a `VerificationError`.",
        tests=(
            f"{_EFFECTS}::test_a_value_that_the_service_changes_is_found_by_verify",
            "contract/test_account::test_a_value_of_each_type_is_read_back_exactly",
        ),
        examined_as=("text values",),
    ),
    "datetime_fraction": Effect(
        client="The client writes the fraction in this form, and reads one of any length.",
        tests=(
            "column_types/test_infer::test_declared_datetimes_of_every_format_are_parsed",
            "contract/test_account::test_a_value_of_each_type_is_read_back_exactly",
        ),
        examined_as=("datetime values",),
    ),
    "datetime_form": Effect(
        client="The client reads both forms as the same instant, and compares keys as instants. Where the service "
        "does not list the type of the column, datetimes with an offset stay text unless `dtype=` or `parse_dates=` "
        "asks for datetimes.",
        tests=(
            "column_types/test_to_pandas::test_iso_datetimes_with_an_offset",
            "write/test_delete::test_keys_of_every_type_match_equal_values",
            "write/test_replace::test_values_of_every_type_are_restored_exactly",
        ),
    ),
    "datetime_zone": Effect(
        client="The client converts a datetime with a time zone to UTC before it sends it, and sends one without a "
        "time zone as it is. If the service takes them as local time and returns an offset, a write with "
        "`verify=True` is a `VerificationError`.",
        tests=(
            f"{_EFFECTS}::test_a_value_that_the_service_changes_is_found_by_verify",
            "column_types/test_plan::test_a_note_names_the_time_zone_that_is_lost",
        ),
        examined_as=("naive and zoned datetimes",),
    ),
    "value_conversion": Effect(
        client="The client sends each value in the JSON type of its column, so nothing is converted. A frame whose "
        "types differ from the listed types is refused before the first row.",
        tests=(f"{_EFFECTS}::test_values_are_stored_in_the_type_of_their_column",),
    ),
    "number_digits": Effect(
        client="The client sends and returns every digit, and refuses a number of more than 1,000 digits. If the "
        "service rounds, a write with `verify=True` is a `VerificationError`.",
        tests=(
            f"{_EFFECTS}::test_a_value_that_the_service_changes_is_found_by_verify",
            "column_types/test_encode::test_numbers_have_at_most_a_thousand_digits",
        ),
        examined_as=("number values", "percentage values"),
    ),
    # tables
    "unique_names": Effect(
        client="The client looks for the name before it creates a table, and uses the table that is there after a "
        "lost reply. If two tables had one name, the name would stand for the first one in the list; a RecId is exact.",
        tests=(
            "contract/test_account::test_a_push_does_not_create_a_second_table",
            "faults/test_write_faults::test_a_create_with_a_lost_reply_is_looked_up_and_used",
            f"{_EFFECTS}::test_the_first_of_two_tables_of_one_name_is_used",
        ),
        examined_as=("name_case",),
        why_not_examined="Only with a name that differs in case: a second table of one name could not be deleted.",
    ),
    "name_case": Effect(
        client="A name stands for the table of exactly this name. If names that differ in case are the same for the "
        "service, a push under such a name is a `TableExistsError` that names the table.",
        tests=(
            f"{_EFFECTS}::test_a_name_in_another_case_is_another_table_or_is_taken",
            "client/test_table_lookup::test_a_name_that_differs_only_in_case_is_reported_as_taken",
        ),
    ),
    "column_name_case": Effect(
        client="The client refuses a frame with names that differ only in case or spaces, and matches columns by "
        "their exact names.",
        tests=(
            "column_types/test_ingest::test_invalid_column_names_are_refused",
            "write/test_push::test_input_that_does_not_fit_the_table_changes_nothing",
        ),
        why_not_examined="The client creates no such columns.",
    ),
    "name_lengths": Effect(
        client="The client has no limits of its own. A name or a number of columns that the service refuses is an "
        "error, and no table is created.",
        tests=("column_types/test_ingest::test_a_name_that_the_service_refuses_creates_no_table",),
        why_not_examined="The API cannot delete the tables that this would create.",
    ),
    "row_id": Effect(
        client="Where the types are listed, a frame that is read has no row id column unless `columns=` names it, and "
        "a write needs no value for it. Where types are not listed, a write takes a column named `id` or `rec_id` "
        "that the frame lacks for the row id, and a note of the receipt says so.",
        tests=(
            "column_types/test_to_pandas::test_the_row_id_is_hidden_unless_requested",
            "client/test_table_lookup::test_the_row_id_is_not_required_in_a_frame",
        ),
    ),
    "row_id_in_create": Effect(
        client="The client never creates a row id column: `column_types=` does not take its types, and a column of "
        "the frame that is named `id` is created with the type of its values.",
        tests=(f"{_EFFECTS}::test_a_row_id_column_is_never_created",),
    ),
    "row_id_place": Effect(
        client="The client finds columns by name, not by place. It sends no value for a row id column, and uses it in "
        "a condition only if you name it.",
        tests=(
            "client/test_table_lookup::test_the_row_id_is_not_required_in_a_frame",
            "resources/test_matching_rows::test_a_row_is_matched_by_its_row_id",
        ),
        examined_as=("row_id",),
        why_not_examined="Only whether there is such a column.",
    ),
    "created_as": Effect(
        client="The client reads both forms.",
        tests=(f"{_EFFECTS}::test_the_id_of_something_new_is_read_in_either_form",),
    ),
    # lists of tables
    "list_entries": Effect(
        client="The client takes the id from `rec_id` or `id`, and returns the other fields as they are. An entry "
        "without an id is an `UnexpectedReplyError`.",
        tests=(
            "client/test_dialects::test_lists_of_tables_are_read",
            "client/test_dialects::test_an_unknown_format_raises",
        ),
        examined_as=("list of tables",),
    ),
    "list_filters": Effect(
        client="The client compares the names that it receives. If the filter finds nothing, it reads the whole list. "
        "The other filters are sent where the dialect has them, and refused where it has none.",
        tests=(
            f"{_EFFECTS}::test_a_table_is_found_whatever_the_filter_of_the_list_does",
            "resources/test_data::test_filters_are_sent_where_the_dialect_has_them",
            "resources/test_data::test_filters_are_refused_where_the_dialect_has_none",
        ),
        why_not_examined="The client does not depend on the filters.",
    ),
    "list_path": Effect(
        client="The client uses the path of its version. A list that is shorter than the service states is an "
        "`IncompleteReadError`.",
        tests=(
            "client/test_dialects::test_the_request_of_each_call",
            "resources/test_data::test_an_older_version_of_the_api",
            "client/test_table_lookup::test_an_incomplete_list_does_not_prove_that_a_table_is_missing",
        ),
        examined_as=("list of tables",),
    ),
    # reads
    "row_order": Effect(
        client="A read returns the rows in the order of the service. Writes and verifications compare rows by their "
        "values, in any order.",
        tests=(f"{_EFFECTS}::test_rows_in_any_order_are_read_once_and_updated_by_key",),
    ),
    "pages": Effect(
        client="The client reads pages of any length. Where a reply does not state whether more pages follow, it "
        "reads up to an empty page. A service that sends one page for every number is an `IncompleteReadError`.",
        tests=(
            "faults/test_read_faults::test_replies_without_paging_are_read_to_the_empty_page",
            "faults/test_read_faults::test_a_service_that_repeats_one_page_forever_raises",
            "read/test_repeated_pages::test_a_service_that_ignores_the_page_number",
        ),
        examined_as=("page past the end",),
    ),
    "column_metadata": Effect(
        client="The listed types decide the dtypes. Without them, the client infers types from the values, an empty "
        "table has no columns, and a replace that could not be undone exactly is refused before any change.",
        tests=(
            "column_types/test_to_pandas::test_without_metadata_types_are_inferred",
            "column_types/test_to_pandas::test_an_empty_table_without_metadata_has_no_columns",
            "write/test_replace::test_rows_that_could_not_be_restored_are_refused_before_any_change",
        ),
    ),
    "pagination": Effect(
        client="The client uses each field that is there, and needs none. Fields that contradict each other or the "
        "rows are an `IncompleteReadError`. Pages with equal rows are accepted only if number and total are stated, "
        'or with `repeated_pages="accept"`.',
        tests=(
            "faults/test_read_faults::test_replies_without_paging_are_read_to_the_empty_page",
            "faults/test_read_faults::test_page_numbers_and_counts_must_be_consistent",
            "faults/test_read_faults::test_pages_of_equal_rows_are_read_or_refused",
        ),
    ),
    "paging_of_reads": Effect(
        client="The client also reads a result that is the list of rows itself. Without a pagination, it reads up to "
        "an empty page.",
        tests=(
            "client/test_dialects::test_pages_are_read",
            "faults/test_read_faults::test_replies_without_paging_are_read_to_the_empty_page",
        ),
        examined_as=("pagination",),
    ),
    # versions of tables
    "version_entries": Effect(
        client="The client returns the fields of an entry as they are, and reads the version that you name.",
        tests=(
            "resources/test_data::test_versions_in_either_format",
            "resources/test_data::test_versions_are_listed_and_read",
        ),
        examined_as=("versions_kept",),
        why_not_examined="Only the number of versions.",
    ),
    "versions_kept": Effect(
        client="The client lists the versions that the service lists. A version that is gone is a "
        "`TableNotFoundError` that names it. No write depends on versions.",
        tests=(f"{_EFFECTS}::test_a_version_is_read_or_is_an_error",),
    ),
    "version_columns": Effect(
        client="The columns of the frame are those of the pages of the version. A table without versions gives an "
        "empty list.",
        tests=(
            "resources/test_shortcuts::test_a_table_is_refreshed_and_its_versions_are_read",
            "resources/test_data::test_a_table_without_versions_has_an_empty_list",
        ),
        why_not_examined=_NEEDS_SOURCE,
    ),
    # refreshes and schedules
    "sources": Effect(
        client="The client only requests the refresh; what the table holds then is read as any table.",
        tests=("resources/test_data::test_a_table_is_refreshed_from_its_source",),
        why_not_examined=_NEEDS_SOURCE,
    ),
    "refresh_without_source": Effect(
        client="The client returns what the service states, or raises its refusal. It does not read the table "
        "afterwards.",
        tests=(
            f"{_EFFECTS}::test_a_refresh_without_source_changes_nothing_or_is_an_error",
            "resources/test_data::test_a_table_without_a_source_cannot_be_refreshed",
        ),
    ),
    "refresh_result": Effect(
        client="The client returns the result as it is; an empty one is an empty dict.",
        tests=(
            f"{_EFFECTS}::test_the_result_of_a_refresh_is_returned_as_it_is",
            "client/test_dialects::test_replies_are_read",
        ),
    ),
    "csv_types": Effect(
        client="The client reads the types that the service lists. Text stays text, also `00123`.",
        tests=(
            "resources/test_data::test_a_table_is_refreshed_from_its_source",
            "column_types/test_to_pandas::test_without_metadata_text_stays_text",
        ),
        why_not_examined=_NEEDS_SOURCE,
    ),
    "refresh_methods": Effect(
        client="The client sends the path or the mode of the method, and `rebuild` as the mode of `recreate`. It does "
        "not check the effect.",
        tests=("resources/test_data::test_the_request_of_each_refresh_method",),
        why_not_examined=_NEEDS_SOURCE,
    ),
    "refresh_rules": Effect(
        client="The client sends the request for any table. A refusal is an `ApiError`.",
        tests=(f"{_EFFECTS}::test_a_refused_refresh_is_an_error",),
        why_not_examined=_NEEDS_SOURCE,
    ),
    "refresh_path": Effect(
        client="The client uses these paths without a version and below 2025.3, and `POST /table/{id}/refresh` from "
        "2025.3 on. A path that the service does not have is an error.",
        tests=(
            "resources/test_data::test_the_request_of_each_refresh_method",
            "resources/test_data::test_a_table_is_refreshed_from_its_source_in_an_older_version",
        ),
        examined_as=("refresh_without_source",),
    ),
    "single_schedule": Effect(
        client="The client reads both forms. A list of none or several schedules is an `UnexpectedReplyError`.",
        tests=(
            f"{_EFFECTS}::test_a_single_schedule_is_read_in_either_form",
            f"{_PEOPLE}::test_a_record_is_not_returned_for_several_or_no_matches",
        ),
    ),
    "schedule_runs": Effect(
        client="The client triggers once. With `wait=True`, it requests the schedule until the run that it started "
        "has ended; the end of an earlier run does not count.",
        tests=(
            "resources/test_schedule::test_a_run_is_followed_to_its_own_end",
            "resources/test_schedule::test_the_end_of_an_earlier_run_does_not_count_for_a_later_run",
            "resources/test_schedule::test_a_trigger_with_a_lost_reply_is_not_retried",
        ),
        why_not_examined="A run would change tables of the account.",
    ),
    "schedule_states": Effect(
        client="With `wait=True`, a schedule whose state is not stated in a known word is not triggered. A run whose "
        "end is not stated is a `ScheduleStateError`, never a success.",
        tests=(
            "resources/test_schedule::test_a_schedule_without_a_state_is_not_triggered",
            "resources/test_schedule::test_a_run_with_an_unreported_end_is_not_reported_as_successful",
        ),
        why_not_examined="A run would change tables of the account.",
    ),
    # appends
    "missing_cells": Effect(
        client="The client sends every column in every row, and refuses a frame that lacks a column of the table. In "
        "a reply, a column that a row does not have is missing.",
        tests=(
            "write/test_push::test_input_that_does_not_fit_the_table_changes_nothing",
            "column_types/test_row_codec::test_a_column_that_a_row_lacks_is_null",
        ),
        why_not_examined="The client does not depend on it.",
    ),
    "row_limit": Effect(
        client="The client sends at most 500 rows in a versioned insert, more only if the doctor found that the "
        "service takes them. Without a version, a `chunksize` that the service refuses is an `IncompleteWriteError`.",
        tests=(
            "client/test_service_profile::test_more_than_500_rows_are_refused_unless_the_service_is_known_to_take_them",
            "client/test_service_profile::test_more_than_500_rows_are_sent_at_once_where_that_is_known",
            "client/test_service_profile::test_a_limit_of_the_unversioned_service_is_a_clear_error",
        ),
        examined_as=("rows_per_insert",),
    ),
    "cells_in_a_version": Effect(
        client="The client uses it only in versions below 2022.01, which do not have `/insert`. A refusal is an error "
        "with all rows unsent.",
        tests=(
            "write/test_push::test_each_version_inserts_rows_with_its_own_operation",
            "faults/test_write_faults::test_a_refused_batch_is_not_in_the_table",
        ),
        examined_as=("row_limit",),
    ),
    "refused_rows": Effect(
        client="A refused request is an `IncompleteWriteError`. If only the row is left out, the counts show it, and "
        "the write is a `PartialWriteError`; without counts, the receipt says `unverified`, and `verify=True` finds "
        "it. Once the doctor has found it, every append without counts is verified.",
        tests=(
            f"{_EFFECTS}::test_a_row_that_is_refused_is_not_reported_as_stored",
            "test_diagnosis::test_a_service_that_drops_rows_is_verified",
        ),
    ),
    "duplicate_rows": Effect(
        client="If rows are dropped, the counts show it, and the write is a `PartialWriteError`; without counts, the "
        "receipt says `unverified`, and `verify=True` finds it. Once the doctor has found it, every append without "
        "counts is verified.",
        tests=(
            f"{_EFFECTS}::test_a_row_that_is_dropped_is_not_reported_as_stored",
            "test_diagnosis::test_a_service_that_drops_rows_is_verified",
        ),
    ),
    "insert_counts": Effect(
        client="With counts, the receipt says `confirmed`, and a count that is too low is an error. Without them, it "
        "says `unverified`, or `verified` with `verify=True`.",
        tests=(
            "faults/test_write_faults::test_without_counts_the_receipt_is_unverified",
            "faults/test_write_faults::test_a_batch_with_a_lower_count_is_unknown",
        ),
    ),
    # updates and conditions
    "update_key": Effect(
        client="The first update of an account finds out the key: it changes one row, reads it back, and tries the "
        "other key if the row did not change. If no key changes it, the write stops before the second row.",
        tests=(
            "write/test_update_key::test_the_key_is_learned_once",
            "write/test_update_key::test_an_update_that_changes_nothing_is_noticed_before_the_second_row",
        ),
    ),
    "unknown_update_key": Effect(
        client="If the other key is refused or ignored, the client tries the next. If a row is harmed, the write "
        "stops with a `VerificationError` that names the row and the columns.",
        tests=(
            "write/test_update_key::test_the_key_is_learned_once",
            "write/test_update_key::test_a_row_that_is_harmed_stops_the_write_and_is_named",
        ),
    ),
    "find_text": Effect(
        client="Unless the doctor found that the comparison is exact, the client reads the table before it changes "
        "rows by a text. A key that equals another one in the table except for case, accents or spaces is a "
        "`SimilarKeysError`, and nothing is changed. After a lost reply, a row with such a key is not sent again.",
        tests=(*_SIMILAR, "write/test_replace::test_no_row_is_lost_if_the_service_compares_differently"),
    ),
    "find_numbers": Effect(
        client="The same for a key of more than 15 digits that equals another one in the table in its first 15 digits.",
        tests=_SIMILAR,
    ),
    "find_datetimes": Effect(
        client="The same for a datetime that equals another one in the table except for the fraction of a second.",
        tests=_SIMILAR,
    ),
    "find_nulls": Effect(
        client="The client sends no condition with null. A null in a key is refused, and a replace deletes rows by a "
        "column in which they have a value.",
        tests=(f"{_EFFECTS}::test_no_condition_has_a_null",),
    ),
    "empty_find": Effect(
        client="The client never sends an empty `find`. A delete without a match is a success; if the service refuses "
        "it, the refusal is an error.",
        tests=(
            "client/test_dialects::test_nothing_is_written_without_a_condition",
            "write/test_push::test_a_delete_of_missing_rows_changes_nothing",
            "write/test_delete::test_a_refused_deletion_reports_its_rows_and_can_be_repeated",
        ),
        why_not_examined="An empty `find` could match every row.",
    ),
    # refusals
    "refusal_status": Effect(
        client="The client reads the error in the body, whatever the status. A write that is refused with the status "
        "200 and an unknown code counts as unknown, not as unsent, except for a create.",
        tests=(
            "client/test_table_lookup::test_an_error_under_http_200_has_the_type_of_its_code",
            "client/test_table_lookup::test_an_unexplained_refusal_of_a_create_under_http_200_created_no_table",
            "faults/test_write_faults::test_an_insert_of_unknown_outcome_is_not_sent_again",
        ),
    ),
    "order_of_checks": Effect(
        client="The client raises the refusal that it receives.",
        tests=("client/test_dialects::test_errors_are_raised",),
        why_not_examined="The client does not depend on it.",
    ),
    "unknown_version": Effect(
        client="A version that you name and the service does not know is an `ApiVersionError`, with either status. "
        "Otherwise, the client tries the versions it knows, newest first.",
        tests=(
            "client/test_session::test_an_unsupported_version_raises",
            "client/test_session::test_the_dialect_is_found_without_version_headers",
        ),
        examined_as=("newest_version",),
    ),
    "rate_limit": Effect(
        client="After a 429, the client waits as long as `Retry-After` says, or longer each time without it, and "
        "sends again, within the limits of its `RetryPolicy`.",
        tests=(
            "client/test_transport::test_the_wait_before_a_retry",
            "client/test_rate_limiter::test_backoff_without_retry_after_grows_up_to_the_cap",
        ),
        why_not_examined="The doctor sends few requests, so that it reaches no limit.",
    ),
    "body_size": Effect(
        client="The client halves a batch that is refused with 413. If the connection is closed instead, the rows are "
        "unknown.",
        tests=(
            "write/test_body_sizes::test_a_batch_refused_with_413_is_halved",
            "write/test_body_sizes::test_rows_are_unknown_if_the_service_closes_the_connection",
        ),
        why_not_examined="It would have to send many megabytes.",
    ),
    "strict_json": Effect(
        client="The client writes only such JSON. A value that it cannot write so is refused before the first request.",
        tests=(
            "properties/test_row_codec::test_framings_of_both_dialects_parse_as_their_rows",
            "column_types/test_encode::test_values_that_json_cannot_hold_are_refused",
        ),
        why_not_examined="The client does not depend on it.",
    ),
    "media_types": Effect(
        client="The client sends these media types.",
        tests=(
            "client/test_request::test_a_body_is_sent_as_json_and_returned_exactly",
            "client/test_auth::test_requests_of_each_authentication_method",
        ),
        why_not_examined="The client does not depend on it.",
    ),
    # paths and versions of the API
    "trailing_slashes": Effect(
        client="The client sends no path with a trailing slash.",
        tests=(f"{_EFFECTS}::test_rows_are_written_and_read_in_each_newest_version",),
    ),
    "newest_version": Effect(
        client="Unless you name a version, the client uses the newest one up to 2025.3 that the service has, with the "
        "operations of that version.",
        tests=(
            f"{_EFFECTS}::test_rows_are_written_and_read_in_each_newest_version",
            "write/test_push::test_each_version_inserts_rows_with_its_own_operation",
        ),
        examined_as=("dialects",),
    ),
    "versioned_forms": Effect(
        client="The client does the same. A path that the service does not have, or a reply of another shape, is an "
        "error that shows the request.",
        tests=(
            "client/test_dialects::test_the_request_of_each_call",
            "client/test_dialects::test_an_unknown_format_raises",
        ),
        examined_as=("dialects",),
        why_not_examined="Only for the account.",
    ),
    "version_headers": Effect(
        client="The client uses the headers if they are there. Otherwise, it requests the account without a version "
        "and in the versions it knows.",
        tests=(
            "client/test_session::test_the_dialect_is_recognized_by_the_reply",
            "client/test_session::test_the_dialect_is_found_without_version_headers",
            f"{_EFFECTS}::test_rows_are_written_and_read_in_each_newest_version",
        ),
    ),
    # scopes and tokens
    "table_scopes": Effect(
        client="The client requests the scopes that you name, and checks none. A refusal is a "
        "`PermissionDeniedError`; a replace that may not write deletes nothing.",
        tests=(
            "client/test_refresh_token::test_parameters_of_the_address",
            "client/test_table_lookup::test_an_error_under_http_200_has_the_type_of_its_code",
            "write/test_replace::test_nothing_is_deleted_without_permission_to_write",
        ),
        why_not_examined="The doctor uses the scopes that the credentials have.",
    ),
    "people_scopes": Effect(
        client="The client checks no scope. A refusal is a `PermissionDeniedError`.",
        tests=(f"{_EFFECTS}::test_a_missing_scope_is_an_error",),
        why_not_examined="The doctor uses the scopes that the credentials have.",
    ),
    "token_errors": Effect(
        client="The client also reads the other forms of an error that the API has. A reply without a token is an "
        "error.",
        tests=(
            "client/test_auth::test_a_reply_without_a_valid_token_raises",
            "client/test_auth::test_a_refusal_in_the_documented_format_is_reported",
        ),
        examined_as=("sign-in",),
        why_not_examined="Only whether the credentials are accepted.",
    ),
    "token_life": Effect(
        client="The client renews a token shortly before the end of the time that the reply states, and after a 401. "
        "If no time is stated, it assumes five minutes.",
        tests=(
            "client/test_auth::test_a_token_is_read",
            "client/test_auth::test_a_token_is_renewed_before_it_expires",
            "client/test_auth::test_after_a_401_one_new_token_is_requested",
        ),
        why_not_examined="The client does not depend on it.",
    ),
    # the account
    "account_usage": Effect(
        client="The client returns all fields as they are.",
        tests=(f"{_EFFECTS}::test_the_account_is_read_in_every_form",),
    ),
    "account_domain": Effect(
        client="The client returns the domain as it is, and uses it for nothing.",
        tests=(f"{_EFFECTS}::test_the_account_is_read_in_every_form",),
    ),
    "activity_fields": Effect(
        client="The client finds the list bare or in an object, and returns all fields as they are.",
        tests=(
            f"{_PEOPLE}::test_each_record_is_listed_once_with_every_form_of_paging",
            f"{_PEOPLE}::test_a_list_is_found_in_any_object",
        ),
        why_not_examined="The doctor does not request what users do.",
    ),
    "activity_counts": Effect(
        client="The client returns the counts as they are.",
        tests=(f"{_PEOPLE}::test_activity_grows_with_use",),
        why_not_examined="The doctor does not request what users do.",
    ),
    # users, teams and dashboards
    "entry_ids": Effect(
        client="The client takes the id from `rec_id` or `id`, and reads further pages where the reply states any.",
        tests=(
            f"{_PEOPLE}::test_a_list_is_found_in_any_object",
            f"{_PEOPLE}::test_a_list_is_read_to_its_end",
        ),
        why_not_examined="The client does not depend on it.",
    ),
    "people_lists": Effect(
        client="The client finds the list bare, under this key, or under the only key that has a list. Any other "
        "reply is an `UnexpectedReplyError`.",
        tests=(
            f"{_PEOPLE}::test_a_list_is_found_in_any_object",
            f"{_PEOPLE}::test_a_reply_that_is_not_a_list_raises",
        ),
        examined_as=("users",),
        why_not_examined="Only for users.",
    ),
    "created_people": Effect(
        client="The client reads both forms.",
        tests=(f"{_EFFECTS}::test_the_id_of_something_new_is_read_in_either_form",),
        why_not_examined=f"Only for a table. {_NO_PEOPLE}",
    ),
    "change_results": Effect(
        client="Without a version, the client accepts any reply that is not an error, also an empty one. With a "
        "version, the reply must state success. The client does not read back what it changed.",
        tests=(
            f"{_PEOPLE}::test_unknown_fields_are_sent_unchanged",
            "resources/test_matching_rows::test_an_empty_reply_is_a_success",
            "client/test_request::test_an_empty_reply_is_none_where_no_reply_is_documented",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "unknown_fields": Effect(
        client="The client sends other fields as they are given. A refusal is an error. If the service ignores a "
        "field, its reply does not show it, so check the result.",
        tests=(
            f"{_PEOPLE}::test_unknown_fields_are_sent_unchanged",
            f"{_EFFECTS}::test_a_user_with_and_without_a_licence",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "user_fields": Effect(
        client="The client sends these names, and further fields as they are given. It returns all fields that the "
        "service states.",
        tests=(
            f"{_PEOPLE}::test_a_user_is_created_changed_and_deleted",
            f"{_PEOPLE}::test_unknown_fields_are_sent_unchanged",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "users": Effect(
        client="The client needs only the address, and sends a licence if you pass it as a further field. A refusal "
        "is an error.",
        tests=(f"{_EFFECTS}::test_a_user_with_and_without_a_licence",),
    ),
    "user_addresses": Effect(
        client="The client finds a user by the exact address, or else by one that differs in case if there is only "
        "one. To delete a user, the case must match.",
        tests=(
            f"{_PEOPLE}::test_a_name_that_matches_no_or_several_records_raises",
            f"{_PEOPLE}::test_a_record_whose_name_differs_in_case_is_not_deleted",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "passwords": Effect(
        client="The client sends the password under this name, and shows it nowhere. It does not sign in to check it.",
        tests=(
            f"{_PEOPLE}::test_a_new_password_signs_in_and_the_old_one_does_not",
            "client/test_secrets::test_no_failure_shows_a_new_password",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "owner": Effect(
        client="The client returns the user that the service states.",
        tests=(f"{_PEOPLE}::test_the_profile_is_that_of_the_signed_in_user",),
        why_not_examined="The client does not depend on it.",
    ),
    "deleted_users": Effect(
        client="The client keeps no list of users or teams; each call requests it.",
        tests=(f"{_PEOPLE}::test_a_user_is_created_changed_and_deleted",),
        why_not_examined=_NO_PEOPLE,
    ),
    "team_fields": Effect(
        client="The client sends these names, and further fields as they are given. Where several teams have a name "
        "that differs only in case, it takes the exact one.",
        tests=(
            f"{_PEOPLE}::test_a_team_is_created_changed_and_deleted",
            f"{_PEOPLE}::test_an_exact_name_takes_precedence_over_names_that_differ_in_case",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "team_members": Effect(
        client="The client sends the request and raises a refusal. It does not read the team back.",
        tests=(f"{_PEOPLE}::test_members_and_parameters_of_a_team",),
        why_not_examined=_NO_PEOPLE,
    ),
    "team_parameters": Effect(
        client="The client sends `name` and `value`, which may be any JSON value, and raises a refusal.",
        tests=(
            f"{_PEOPLE}::test_members_and_parameters_of_a_team",
            f"{_PEOPLE}::test_unknown_fields_are_sent_unchanged",
        ),
        why_not_examined=_NO_PEOPLE,
    ),
    "delete_bodies": Effect(
        client="The client sends no body.",
        tests=(f"{_EFFECTS}::test_a_user_and_a_team_are_deleted_without_a_body",),
        why_not_examined=_NO_PEOPLE,
    ),
    "dashboard_fields": Effect(
        client="The client compares the names that it receives, so the filter may do anything. It returns all fields "
        "as they are.",
        tests=(
            f"{_PEOPLE}::test_a_dashboard_is_found_with_any_name_filter_of_the_service",
            f"{_PEOPLE}::test_dashboards_are_listed_and_filtered",
        ),
        why_not_examined=_NO_DASHBOARD,
    ),
    "pictures": Effect(
        client="The client reads base64 text, bare or in JSON, and the bytes of an image. Anything else is an "
        "`UnexpectedReplyError`.",
        tests=(
            f"{_PEOPLE}::test_a_picture_is_read_in_every_form",
            f"{_PEOPLE}::test_a_reply_that_is_not_a_picture_raises",
        ),
        why_not_examined=_NO_DASHBOARD,
    ),
}
