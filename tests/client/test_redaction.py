"""Redaction: no secret is shown that a reply quotes in any encoding, and no text controls a terminal."""

import base64
import difflib
import html
import json
import quopri
import random
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import pandas_clicdata as cd
from pandas_clicdata._models import Reply, Secret


def units(text):
    """Return the text in pieces of two bytes, as JSON escapes it."""
    content = text.encode("utf-16-be")
    return [content[at : at + 2].hex() for at in range(0, len(content), 2)]


def wrapped(text, width):
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def base64_of(text, *, before="", alphabet=b"+/"):
    return base64.b64encode((before + text).encode(), altchars=alphabet).decode()


# A reader who knows the encoding can recover the text.
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, quoted twice": lambda text: json.dumps(json.dumps(text)),
    "JSON, all escaped": lambda text: "".join(f"\\u{unit}" for unit in units(text)),
    "JSON, all escaped in capitals": lambda text: "".join(f"\\u{unit.upper()}" for unit in units(text)),
    "JSON, some escaped": lambda text: "".join(
        f"\\u{ord(each):04x}" if place % 3 == 0 and ord(each) < 0xFFFF else json.dumps(each, ensure_ascii=False)[1:-1]
        for place, each in enumerate(text)
    ),
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JavaScript": lambda text: "".join(f"\\u{{{ord(each):x}}}" for each in text),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "bytes escaped": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "in a form": lambda text: quote_plus(text),
    "percent": lambda text: quote(text, safe=""),
    "percent, in lower case": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent, all of it": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent, some of it": lambda text: "".join(
        "".join(f"%{byte:02X}" for byte in each.encode()) if place % 2 else quote(each, safe="")
        for place, each in enumerate(text)
    ),
    "percent of Unicode": lambda text: "".join(f"%u{unit}" for unit in units(text)),
    "HTML": html.escape,
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    "HTML, hexadecimal in capitals": lambda text: "".join(f"&#X{ord(each):X};" for each in text),
    "HTML, decimal": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "HTML, decimal without an end": lambda text: "".join(f"&#{ord(each):06}" for each in text) + ".",
    "HTML, some of it": lambda text: "".join(
        f"&#{ord(each)};" if place % 2 else html.escape(each) for place, each in enumerate(text)
    ),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode("ascii"),
    "quoted-printable, all of it": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "base64": base64_of,
    "base64, a character before": lambda text: base64_of(text, before=":"),
    "base64, two characters before": lambda text: base64_of(text, before="u:"),
    "base64 for addresses": lambda text: base64_of(text, alphabet=b"-_"),
    "base64 without its end": lambda text: base64_of(text).rstrip("="),
    "base64 in lines": lambda text: wrapped(base64_of(text), 19),
    "base64 after a word": lambda text: "Key" + base64_of(text),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
    "hexadecimal in pairs": lambda text: text.encode().hex(" "),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal numbers": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "hexadecimal after a digit": lambda text: "5" + text.encode().hex(),
    "decimal numbers": lambda text: str(list(text.encode())),
    "UTF-16": lambda text: "\0".join(text) + "\0",
    "invisible characters between": "\u200b".join,
    "soft hyphens between": "\xad".join,
}
CASES: dict[str, Callable[[str], str]] = {
    "as given": str,
    "capitals": str.upper,
    "small letters": str.lower,
    "swapped": str.swapcase,
}
AROUND = [("", ""), ("key ", " is wrong"), ('{"said": "', '"}'), ("<p>", "</p>"), ("key=", "&more=1"), ("k:", ";")]
SECRETS = st.one_of(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=8, max_size=40),
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), min_size=8, max_size=64),
    st.text(st.sampled_from("abcXYZ019\"/+%\\<>&=;:, '_-~."), min_size=8, max_size=30),
    st.text(st.sampled_from("abcdeüéßñçøÅλжяשم密码パス🔑"), min_size=8, max_size=20),
)


def shows(text, encoded, secret):
    """Return whether half of the encoded secret, and at least four characters of the secret, can be read."""
    match = difflib.SequenceMatcher(None, text, encoded, autojunk=False).find_longest_match()
    return match.size > max(len(encoded) / 2, 4 * len(encoded) / len(secret))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    secret=SECRETS,
    case=st.sampled_from(list(CASES)),
    encodings=st.lists(st.sampled_from(list(ENCODINGS)), min_size=1, max_size=3),
    around=st.sampled_from(AROUND),
    filler=st.one_of(st.integers(0, 100), st.integers(600, 3500)),
)
@example("hunter2hunter2", "as given", ["hexadecimal", "base64", "percent"], AROUND[1], 0)
@example("hunter2hunter2", "as given", ["base64 in lines", "JSON"], AROUND[2], 990)
@example("hunter2hunter2", "as given", ["base64 in lines", "JSON"], AROUND[2], 2990)
@example("hunter2" * 300, "as given", ["base64"], AROUND[1], 700)
def test_no_encoding_of_a_secret_remains(secret, case, encodings, around, filler):
    secret = secret.strip()
    # Four letters are found in any text.
    if len(set(secret)) < 4 or len(secret) < 8:
        return
    encoded = CASES[case](secret)
    # Some letters have no single counterpart in the other case.
    if encoded.casefold() != secret.casefold():
        encoded = secret
    for encoding in encodings:
        encoded = ENCODINGS[encoding](encoded)
    text = "word " * (filler // 5) + encoded.join(around)
    secrets = (Secret(secret), Secret("another secret of no matter"))
    reply = Reply(status=500, body=text.encode(), secrets=secrets)
    for shown in (reply.redact(text), reply.excerpt()):
        assert shown.isprintable()
        assert not shows(shown, encoded, secret)


@pytest.mark.sampled
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", ["s3cr3t-/key+hush", "Pässwörter / sind: <hier>"])
@pytest.mark.parametrize("place", ["body", "description", "request id", "proxy"])
@pytest.mark.parametrize("api_version", ["unversioned", "2025.3"])
def test_no_reply_shows_a_secret_in_any_encoding(http_service, encoding, secret, place, api_version):
    encoded = ENCODINGS[encoding](secret)

    def answer(request):
        if place == "body":
            return 500, {}, f"<p>No: {encoded}</p>".encode()
        if place == "description":
            content = {"success": False, "error": {"code": encoded, "description": f"No: {encoded}"}}
            return 403, {}, json.dumps(content).encode()
        in_header = encoded.replace("\n", "").replace("\0", "").encode().decode("latin-1")
        if place == "proxy":
            return f"HTTP/1.1 407 {in_header}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
        return 500, {"X-Request-Id": in_header}, b"{}"

    with http_service(answer) as url:
        options = {"api_key": "unsent", "base_url": url}
        if place == "proxy":
            # The address of the proxy holds the password.
            proxy = url.replace("//", f"//me:{quote(secret, '')}@")
            options = {"api_key": "unsent", "base_url": "https://api.example", "proxies": {"https": proxy}}
        session = cd.Session(api_version=api_version, retry=cd.RetryPolicy(attempts=1), **options)
        body = None if place == "proxy" else {"password": secret}
        with session, pytest.raises(cd.ClicDataError) as caught:
            cd.request("POST", "/x", json=body, session=session)
    error = caught.value
    for text in (str(error), *(str(value) for value in vars(error).values())):
        assert not shows(text, encoded, secret), text
    for link in (error.__cause__, error.__context__):
        assert link is None or not shows(str(link), encoded, secret)


# Text that controls a terminal: colours, a title, an overwritten line, text from right to left, a new line.
HOSTILE = "ok\x1b[31m\x1b]0;owned\x07\r\nERROR\x08\x9b2J\u202egnp.exe\u2066\u200f\u2028x\x7f"


def test_text_of_the_service_does_not_control_a_terminal(http_service):
    record = {"id": 7, "name": HOSTILE, "status": HOSTILE, HOSTILE: 1}

    def answer(request):
        header = {"X-Request-Id": "a\x1b[2Jb\x9b"}
        if request.path == "/account":
            return 403, header, json.dumps({"error": {"code": HOSTILE, "description": HOSTILE}}).encode()
        if request.path == "/team":
            return 500, header, HOSTILE.encode()
        if request.path == "/user/1":
            return 200, header, json.dumps([HOSTILE]).encode()
        if request.path.startswith("/schedule"):
            return 200, {}, json.dumps({"schedules": [record]}).encode()
        if request.path == "/data/7":
            return 200, {}, json.dumps({"data": [{HOSTILE: 1}], "has_more_data": False}).encode()
        if request.path == "/oauth20/token":
            return 400, {}, json.dumps({"error": "x", "error_description": HOSTILE}).encode()
        return 200, {}, json.dumps({"data": [{"rec_id": 7, "name": HOSTILE}], "count": 1}).encode()

    calls = [
        lambda session: session.whoami(),
        lambda session: cd.request("GET", "/team", session=session),
        lambda session: cd.User(session).get_user(1),
        lambda session: cd.Schedule(session).trigger_schedule(7, wait=True),
        lambda session: cd.Schedule(session).trigger_schedule("no such", wait=True),
        lambda session: cd.read_clicdata("ok", session=session),
        lambda session: cd.read_clicdata(7, columns=["ok"], session=session),
    ]
    with http_service(answer) as url:
        accounts: list[dict[str, Any]] = [{"api_key": "hush"}, {"client_id": "acme", "client_secret": "hush"}]
        for credentials in accounts:
            session = cd.Session(
                **credentials, base_url=url, api_version="unversioned", retry=cd.RetryPolicy(attempts=1)
            )
            for call in calls if "api_key" in credentials else calls[:1]:
                with pytest.raises(cd.ClicDataError) as caught:
                    call(session)
                error = caught.value
                assert str(error).isprintable(), ascii(str(error))
                for name in ("code", "description", "request_id"):
                    assert (getattr(error, name, None) or "").isprintable()
            session.close()


@pytest.mark.parametrize("character", ["\x1b", "\r", "\t", "\x9b", "\u202e", "\u2028", "\ud800"])
def test_every_error_escapes_control_characters(character):
    for kind in (cd.ClicDataError, cd.TableNotFoundError, cd.ConfigurationError):
        shown = str(kind(f"one{character}two\nthree"))
        assert shown == f"one{character.encode('unicode_escape').decode()}two\nthree"


@pytest.mark.parametrize("secret", ["", " ", "    ", "\u200b" * 9, "abc", "a b c", "k" * 9000, "\ud800" * 9])
def test_a_secret_of_any_form_is_accepted(secret):
    reply = Reply(status=500, body=b"<p>Not found</p>", secrets=(Secret(secret),))
    assert reply.excerpt() == "<p>Not found</p>"


def test_the_search_for_a_secret_ends():
    """Text with too many possible decodings is hidden instead of searched without end."""
    hard = " ".join(base64.b64encode(f"{n}&amp;%25{n}\\\\=3D+".encode() * 9).decode() for n in range(40))
    shown = Reply(status=500, secrets=(Secret("hush"), Secret("密码密码"))).redact(hard)
    assert "hush" not in shown
    assert len(shown) < 1100


def test_a_reply_that_is_not_text_is_not_shown():
    for body in ("hush".encode("utf-16"), b"\x1f\x8b\x08\x00" + bytes(range(256)), bytes(range(1, 256)) * 9):
        assert Reply(status=500, body=body).excerpt() == f"({len(body):,} bytes that are not text)"
    latin = "Zugriff für hüsch-hüsch verweigert".encode("latin-1")
    assert Reply(status=500, body=latin).excerpt() == "Zugriff für hüsch-hüsch verweigert"
    assert Reply(status=500, body=latin, secrets=(Secret("hüsch-hüsch"),)).excerpt() == "Zugriff für *** verweigert"


BINARY = base64.b64encode(random.Random(7).randbytes(300)).decode()
PAGES = {
    "JSON": json.dumps(
        {"error": {"code": "Denied", "message": "me@acme.example, see https://x.example/a%20b?c=d&e=f"}}
    ),
    "page": "<html>" + "".join(f"<p class='background-{n}'>Internal &amp; external server</p>" for n in range(60)),
    "trace": "\n".join(f"  at System.Web.Controllers.Method{n} in C:\\\\Users\\\\x.cs:line {n}" for n in range(50)),
    "base64": f"State: {BINARY} at line 3",
    "hexadecimal": f"State: {base64.b64decode(BINARY).hex()} at line 3",
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("secret", ["hush", "s3cr3t-/key+hush", "Pässwörter / sind: <hier>", "k" * 900])
def test_text_without_a_secret_is_shown(page, secret):
    text = PAGES[page]
    secrets = (Secret(secret), Secret("Bearer " + "eyJhbGciOiJIUzI1NiJ9." * 20))
    shown = Reply(status=500, secrets=secrets).redact(text)
    # A part whose search takes too long is hidden, and the rest is shown.
    without = re.sub(r"(?<=State: )\S+", "***", text)
    assert shown.removesuffix(" …") in [" ".join(each[:1000].split()) for each in (text, without)]
