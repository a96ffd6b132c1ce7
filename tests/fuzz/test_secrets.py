"""Random secrets through the encoders of other programs, and cut anywhere."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from pipe.http.excerpt import one_line
from pipe.secret import Mask, Secret, cut
from tests.fuzz.share import Tally, cases

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SPECIAL = "!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~"
secrets = st.text(alphabet=PLAIN + SPECIAL + "éß€😀", min_size=4, max_size=60)
long_secrets = st.text(alphabet=PLAIN + "+/=-_.", min_size=60, max_size=300)
# No character of these is in a secret, so that a mask has no part in what is around it.
BEFORE, AFTER = "⟪", "⟫"
SHOWN = 4
"""So many characters of a secret must not be shown in a row."""
FRAGMENT = 12
"""So many characters of base64 identify a secret in a line of its own."""


def escaped(text: str, characters: str, form: str) -> str:
    """Return the text with these characters in another form, such as `%04X`."""
    return "".join(
        "".join(form % unit for unit in units(char)) if char in characters else char
        for char in text
    )


def units(char: str) -> list[int]:
    """Return the UTF-16 units of a character."""
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def percent(text: str, safe: str, *, lower: bool = False) -> str:
    """Return the text URL-encoded."""
    encoded = quote(text, safe=safe)
    return re.sub("%..", lambda hexes: hexes[0].lower(), encoded) if lower else encoded


def dumped(text: str, *, ascii_only: bool = True) -> str:
    """Return the text as Python and JavaScript write it in JSON."""
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def bash_quoted(text: str) -> str:
    """Return the text as bash's `printf %q` writes printable characters."""
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


NON_ASCII = "éß€😀"
ENCODERS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "quote": quote,
    "quote, nothing safe": lambda text: quote(text, safe=""),
    "quote_plus": quote_plus,
    "encodeURIComponent": lambda text: percent(text, "!'()*~"),
    "encodeURI": lambda text: percent(text, ";,/?:@&=+$-_.!~*'()#"),
    "Java URLEncoder": lambda text: quote_plus(text, safe="*").replace("~", "%7E"),
    "lower-case percent": lambda text: percent(text, "", lower=True),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "proxy password": lambda text: quote(text, safe="!*()'"),
    "json": dumped,
    "json without ASCII": lambda text: dumped(text, ascii_only=False),
    "json twice": lambda text: dumped(dumped(text)),
    "PHP": lambda text: dumped(text).replace("/", "\\/"),
    ".NET": lambda text: escaped(text.replace("\\", "\\\\"), f"+&<>'`\"{NON_ASCII}", "\\u%04X"),
    "Java Gson": lambda text: escaped(dumped(text, ascii_only=False), "=&<>'", "\\u%04x"),
    "Go": lambda text: escaped(dumped(text, ascii_only=False), "&<>", "\\u%04x"),
    "JavaScript code points": lambda text: "".join(
        f"\\u{{{ord(char):x}}}" if char in NON_ASCII else char for char in text
    ),
    "html": html.escape,
    "html, numeric quotes": lambda text: html.escape(text).replace("&quot;", "&#34;"),
    "html, decimal": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "html, all numeric": lambda text: "".join(
        char if char in PLAIN else f"&#{ord(char)};" for char in text
    ),
    "html twice": lambda text: html.escape(html.escape(text)),
    "xml": lambda text: html.escape(text).replace("&#x27;", "&apos;"),
    "shlex.quote": lambda text: shlex.quote(text).strip("'"),
    "sh -x": lambda text: text.replace("'", "'\\''"),
    "bash %q": bash_quoted,
    "bash declare -p": lambda text: re.sub(r'(["$`\\])', r"\\\1", text),
    "repr": lambda text: repr(text)[1:-1],
    "repr in both quotes": lambda text: repr(f"{text}'\"")[1:-4],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "CSV": lambda text: text.replace('"', '""'),
    "SQL": lambda text: text.replace("'", "''"),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, urlsafe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in json": lambda text: base64.b64encode(text.encode()).decode().replace("/", "\\/"),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64 of a login": lambda text: base64.b64encode(f"ci:{text}:x".encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 in lines, CRLF": lambda text: (
        base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
    ),
    "base64 in lines as json": lambda text: dumped(base64.encodebytes(text.encode()).decode()),
    "base64 in lines as blanks": lambda text: " ".join(
        base64.encodebytes(f"user:{text}".encode()).decode().split()
    ),
}
encoders = st.sampled_from(list(ENCODERS))


def masked(secret: str, text: str) -> str:
    """Return the text after the mask."""
    mask = Mask()
    mask.add(Secret(secret))
    return mask.text(text)


def remains(shown: str) -> str:
    """Return what is shown between the marks, without stars, dots and base64's padding.

    A quote at either end of a secret is found as it is; what shells write around it stays.
    """
    inner = shown.partition(BEFORE)[2].partition(AFTER)[0]
    return re.sub(r"\*\*\*|\.\.\.|\"'\"|=|%3D|\s|\\r|\\n", "", inner)


def around(name: str) -> int:
    """Return how many characters that encoders write for a secret's neighbours may stay."""
    if "login" in name or "blanks" in name:
        return 12
    return 2 if name.startswith("base64") else 0


def longest(secret: str, name: str) -> int:
    """Return the length of what may be shown: fewer than four characters of the secret.

    What base64 writes for neighbours is no part of it: `ci:`, `user:` and `:x`.
    """
    if name.startswith("base64"):
        return around(name) + 2 * SHOWN - 1
    return max(len(ENCODERS[name](char)) for char in secret) * SHOWN - 1


def test_any_secret_in_any_spelling(tally: Tally) -> None:
    """It is masked as a whole, whatever program wrote it."""
    assert len(ENCODERS) >= 20

    @cases(6000)
    @given(st.one_of(secrets, long_secrets), encoders)
    def holds(secret: str, name: str) -> None:
        tally.one()
        shown = masked(secret, f"{BEFORE}{ENCODERS[name](secret)}{AFTER}")
        assert "***" in shown
        assert len(remains(shown)) <= around(name), (name, shown)

    holds()


def test_any_secret_that_is_cut_anywhere(tally: Tally) -> None:
    """Fewer than four of its characters are shown in front of a cut."""

    @cases(6000)
    @given(st.one_of(secrets, long_secrets), encoders, st.integers(0, 400))
    def holds(secret: str, name: str, length: int) -> None:
        tally.one()
        text = f"{BEFORE}{ENCODERS[name](secret)}{AFTER}"
        shown = masked(secret, cut(text, length))
        assert len(remains(shown)) <= longest(secret, name), (name, shown)

    holds()


def test_any_secret_in_an_excerpt(tally: Tally) -> None:
    """Excerpts cut twice, and drop what looks like a tag."""

    @cases(3000)
    @given(secrets, st.sampled_from(["", "x", "<b></b>"]), st.integers(0, 900))
    def holds(secret: str, filler: str, count: int) -> None:
        tally.one()
        shown = masked(secret, one_line(f"{filler * count}{BEFORE}{secret}{AFTER}"))
        assert len(remains(shown)) < SHOWN, shown

    holds()


def test_any_line_of_base64(tally: Tally) -> None:
    """Tools wrap base64 at 64 or 76 columns, and the lines may be shown one by one."""

    @cases(2000)
    @given(long_secrets, st.text(alphabet=PLAIN, max_size=80), st.sampled_from([60, 64, 76]))
    def holds(secret: str, before: str, width: int) -> None:
        tally.one()
        secret_begins = len(before) * 8 // 6 + 1
        encoded = base64.b64encode(f"{before}{secret}".encode()).decode().rstrip("=")
        mask = Mask()
        mask.add(Secret(secret))
        for start in range(0, len(encoded), width):
            line = encoded[start : start + width]
            shown = mask.text(line).replace("***", "")
            own = line[max(0, secret_begins - start) :]
            assert len(own) < FRAGMENT or own not in shown
            assert len(shown) <= len(line) - len(own) + FRAGMENT, (line, shown)

    holds()
