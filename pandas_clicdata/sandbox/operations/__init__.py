"""The views: a call in, the text of a result out, mostly JSON. Each declares its routes."""

from pandas_clicdata.sandbox.operations import account, people, tables
from pandas_clicdata.sandbox.operations.call import Backend, Call, Result

__all__ = ["Backend", "Call", "Result", "account", "people", "tables"]
