"""The public names are those of ``__all__``, sorted and documented."""

from __future__ import annotations

import pandas as pd

import pandas_clicdata as cd


def test_public_names_exist_and_are_sorted_and_documented() -> None:
    own = [name for name in cd.__all__ if name not in cd.errors.__all__]

    assert own == sorted(own)
    assert cd.errors.__all__ == sorted(cd.errors.__all__)
    assert len(set(cd.__all__)) == len(cd.__all__)
    for name in cd.__all__:
        assert name == "__version__" or (getattr(cd, name).__doc__ or "").strip(), name


def test_dir_lists_only_the_public_names() -> None:
    assert dir(cd) == sorted(cd.__all__)


def test_the_docstring_of_errors_shows_the_tree_of_all_errors() -> None:
    for name in cd.errors.__all__:
        error = getattr(cd.errors, name)
        assert issubclass(error, cd.ClicDataError | cd.NotCheckedWarning)
        assert issubclass(error, Warning) or name in (cd.errors.__doc__ or "")


def test_the_accessor_has_no_state_and_lists_its_methods() -> None:
    frame = pd.DataFrame({"a": [1]})

    assert set(vars(frame.clicdata)) == {"_frame"}
    methods = "push, append, update_rows, upsert, delete_rows, schema"
    assert repr(frame.clicdata) == f"<df.clicdata of 1 rows, 1 columns: {methods}>"
