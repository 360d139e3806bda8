"""An emulator of the ClicData REST API: a real server on this machine, for tests and experiments.

It imports nothing from the client, so that no misunderstanding of the API is shared by both.
"""

from pandas_clicdata.sandbox.assumptions import ASSUMED, Assumptions
from pandas_clicdata.sandbox.faults import Fault, Faults
from pandas_clicdata.sandbox.ledger import Ledger
from pandas_clicdata.sandbox.process import ProcessSandbox, SandboxProcess, serve_pipe
from pandas_clicdata.sandbox.remote import RemoteSandbox
from pandas_clicdata.sandbox.requestlog import Entry, RequestLog
from pandas_clicdata.sandbox.seed import Seeding
from pandas_clicdata.sandbox.server import Sandbox

__all__ = [
    "ASSUMED",
    "Assumptions",
    "Entry",
    "Fault",
    "Faults",
    "Ledger",
    "ProcessSandbox",
    "RemoteSandbox",
    "RequestLog",
    "Sandbox",
    "SandboxProcess",
    "Seeding",
    "serve_pipe",
]
