"""Replies that fuzzing found: each is read in time, or refused by an error of this package."""

import time
from pathlib import Path

import pytest
from fuzz import decode

SECONDS = 5
READINGS = 2 * len(decode.DTYPES) * len(decode.BACKENDS)


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "corpus").iterdir()), ids=lambda path: path.name)
def test_a_reply_is_read_in_time_or_refused(path):
    data = path.read_bytes()
    for choice in {data[0] if data else 0, *range(0, READINGS, 7)}:
        started = time.process_time()
        decode.one_input(bytes([choice]) + data[1:])
        assert time.process_time() - started < SECONDS
