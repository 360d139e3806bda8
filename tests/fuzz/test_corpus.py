"""Inputs that the fuzzer found: decoding each ends within the time limit, if only with an error of this package."""

import time
from pathlib import Path

import pytest
from fuzz import decode

SECONDS = 5
CHOICES = 2 * len(decode.DTYPES) * len(decode.BACKENDS)


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "corpus").iterdir()), ids=lambda path: path.name)
def test_decoding_ends_within_the_time_limit(path):
    data = path.read_bytes()
    for choice in {data[0] if data else 0, *range(0, CHOICES, 7)}:
        started = time.process_time()
        decode.decode_input(bytes([choice]) + data[1:])
        assert time.process_time() - started < SECONDS
