"""Replies that fuzz/decode.py found interesting: each is read in time, or refused by an error of ours."""

import importlib.util
import time
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
_spec = importlib.util.spec_from_file_location("fuzz_decode", FUZZ / "decode.py")
decode = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(decode)

SECONDS = 5
READINGS = 2 * len(decode.DTYPES) * len(decode.BACKENDS)


@pytest.mark.parametrize("path", sorted((FUZZ / "corpus").iterdir()), ids=lambda path: path.name)
def test_a_reply_once_found_is_read_in_time_with_no_error_but_ours(path):
    data = path.read_bytes()
    for choice in {data[0] if data else 0, *range(0, READINGS, 7)}:
        started = time.process_time()
        decode.one_input(bytes([choice]) + data[1:])
        assert time.process_time() - started < SECONDS
