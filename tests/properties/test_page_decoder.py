"""The fast decoder of pages and the reference parser agree on bodies that hypothesis writes.

``CLICDATA_LONG_TESTS=1`` generates many thousands.
"""

from client.test_page_decoder import AROUND
from fuzz.decode import outcome
from hypothesis import given
from hypothesis import strategies as st
from properties.numbers_of_examples import few_or, with_settings

from pandas_clicdata.client import operations
from pandas_clicdata.client.page_decoder import PageDecoder

SPACE = st.sampled_from(["", "", "", "", " ", "\n", "\t "])
KEYS = st.sampled_from(["a", "b", "c:", 'd\\"', "e\\\\", "data", "\\u0061", " :", "é"])
TEXTS = st.text(st.sampled_from('abe0159.:+- "\\{}[],'), max_size=12)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
BROKEN = st.sampled_from(["", "NaN", "01", "1.", '"', "\\", "t"])


@st.composite
def objects(draw, keys, values):
    cells = [
        f'{draw(SPACE)}"{key}"{draw(SPACE)}:{draw(SPACE)}{draw(values)}{draw(SPACE)}'
        for key in draw(st.lists(keys, max_size=4))
    ]
    return "{" + ",".join(cells) + "}"


def values():
    literal = TEXTS.map(lambda text: operations.text_literal(text))
    scalar = NUMBERS | literal | st.sampled_from(["null", "true", "false", '"\\ud800"', '"\\u00e9"'])
    nested = st.recursive(
        scalar,
        lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]") | objects(KEYS, inner),
    )
    return st.one_of(scalar, scalar, scalar, scalar, nested, BROKEN)


@st.composite
def pages(draw):
    """Draw the rows of a few pages, of which most have the same columns."""
    names = draw(st.lists(KEYS, min_size=1, max_size=4))
    regular = st.just(names).map(lambda names: "{" + ",".join(f'"{name}":{draw(values())}' for name in names) + "}")
    around = draw(st.sampled_from(list(AROUND.values())))
    rows = st.lists(regular | objects(KEYS, values()), max_size=3)
    return [(around % ",".join(draw(rows))).encode() for _ in range(3)]


@few_or(400, few=25, long=100_000)
def test_the_fast_decoder_agrees_with_the_reference(examples):
    @with_settings(examples)
    @given(pages())
    def check(bodies):
        decoder = PageDecoder()
        for body in bodies:
            assert outcome(decoder.loads, body) == outcome(operations.loads, body)

    check()
