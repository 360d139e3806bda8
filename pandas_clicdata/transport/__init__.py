"""The one seam to the network: time-outs, safe retries, and third-party exceptions turned into ours."""

from pandas_clicdata.transport.transport import Transport, retry_after_seconds

__all__ = ["Transport", "retry_after_seconds"]
