"""``python -m pandas_clicdata``, and the ``clicdata`` command."""

from pandas_clicdata.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
