"""The pieces of any frame are sent as the whole frame is, wherever it is cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from properties.drawn_frames import cases
from properties.numbers_of_examples import few_or, with_settings

from pandas_clicdata.write.options import Options
from pandas_clicdata.write.payload import Payload


@few_or(100, few=15, long=3000)
def test_pieces_are_sent_as_the_whole(examples):
    @with_settings(examples)
    @given(case=cases(), cuts=st.lists(st.integers(0, 6), max_size=3), listed=st.booleans())
    def are_sent_as_the_whole(case, cuts, listed):
        places = [0, *sorted(cuts), len(case.frame)]
        cut = getattr(case.frame, "iloc", case.frame)
        frames = [cut[start:stop] for start, stop in itertools.pairwise(places)]
        options = Options(index=case.index)
        whole = Payload.from_object(case.frame, options)
        pieces = Payload.from_object(frames if listed else iter(frames), options).in_memory()
        assert [(column.name, column.data_type) for column in pieces.planned] == [
            (column.name, column.data_type) for column in whole.planned
        ]
        assert pieces.checksums() == whole.checksums()

    are_sent_as_the_whole()
