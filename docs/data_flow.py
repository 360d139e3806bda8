"""Draw the data flow on the architecture page: ``python docs/data_flow.py``."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

# Every text is in a filled box, so that the drawing is legible on a light and on a dark page.
FILLS = {"user": "#f3e9c6", "write": "#fbd9bf", "read": "#cfe8d0", "types": "#e2d5f3", "client": "#cfe0f7"}
INK, LINE = "#1b2430", "#7d8795"
WIDTH, BOX, STEP, GAP = 860, 62, 92, 40
HALF = (WIDTH - 3 * GAP) // 2
LEFT, RIGHT = GAP, GAP * 2 + HALF

WRITE = [
    ("user", "df.clicdata.push(name)", "accessor.py: signature and one call"),
    ("write", "Options, Payload", "options.py, payload.py: validate everything first"),
    ("types", "ingest → plan → encode", "any frame → Arrow columns → checked values"),
    ("write", "push → append → ExactlyOnceInsert", "find or create the table; cut, send, resend batches"),
    ("types", "row_codec.row_texts", "Arrow batch → JSON text of each row"),
    ("write", "executor ↔ journal ↔ reconcile", "send, record each outcome, find unknown rows"),
]
READ = [
    ("user", "DataFrame", "pd.read_clicdata(table) returns it"),
    ("types", "to_pandas, recast", "dtype=, dtype_backend=; schema= restores dtypes"),
    ("types", "infer", "JSON types and declared types → Arrow types"),
    ("types", "row_codec.decode", "rows of a page → Arrow columns"),
    ("read", "_PageReader", "read.py: read every page, prove them complete"),
    ("client", "Prefetch", "client/prefetch.py: request the next pages meanwhile"),
]
SHARED = [
    ("client", "Client.insert, Client.read_page, …", "client/api.py: one method per operation; renews the token once"),
    ("client", "Dialect → Exchange(request, read)", "client/dialects.py, operations.py, replies.py: pure functions"),
    ("client", "Transport.send", "client/transport.py, rate_limiter.py, connections.py: deadline, retries, errors"),
    ("user", "ClicData, or the sandbox", "HTTP"),
]


def box(kind: str, title: str, text: str, x: int, y: int, width: int) -> Iterator[str]:
    """Yield the elements of one box."""
    middle = x + width // 2
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{BOX}" rx="8" fill="{FILLS[kind]}" stroke="{LINE}"/>'
    yield f'<text x="{middle}" y="{y + 26}" class="title">{escape(title)}</text>'
    yield f'<text x="{middle}" y="{y + 46}">{escape(text)}</text>'


def arrow(x: int, start: int, end: int) -> str:
    """Return a vertical arrow."""
    return f'<line x1="{x}" y1="{start}" x2="{x}" y2="{end}" stroke="{LINE}" stroke-width="2" marker-end="url(#head)"/>'


def drawing() -> Iterator[str]:
    """Yield the lines of the SVG."""
    height = STEP * (len(WRITE) + len(SHARED)) + GAP // 2
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-label="Data flow from the accessor to the socket, and from the socket to a DataFrame">'
    )
    yield (
        f"<style>text{{font:13px system-ui,sans-serif;fill:{INK};text-anchor:middle}}"
        ".title{font-weight:600;font-size:15px}</style>"
    )
    yield (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="{LINE}"/></marker></defs>'
    )
    for row, (left, right) in enumerate(zip(WRITE, READ, strict=True)):
        y = 10 + row * STEP
        yield from box(*left, LEFT, y, HALF)
        yield from box(*right, RIGHT, y, HALF)
        yield arrow(LEFT + HALF // 2, y + BOX, y + STEP - 1)
        yield arrow(RIGHT + HALF // 2, y + STEP, y + BOX + 1)
    for row, shared in enumerate(SHARED, len(WRITE)):
        y = 10 + row * STEP
        yield from box(*shared, LEFT, y, RIGHT + HALF - LEFT)
        if row < len(WRITE) + len(SHARED) - 1:
            yield arrow(LEFT + HALF // 2, y + BOX, y + STEP - 1)
            yield arrow(RIGHT + HALF // 2, y + STEP, y + BOX + 1)
    yield "</svg>"


if __name__ == "__main__":
    path = Path(__file__).parent / "_static" / "data-flow.svg"
    path.write_text("\n".join(drawing()) + "\n", "utf-8")
