"""The entry point of ``python -m pandas_clicdata`` and of the ``clicdata`` command."""

from pandas_clicdata.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
