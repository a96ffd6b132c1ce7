"""Secrets and their masking."""

import base64
import time
from urllib.parse import quote, quote_plus

import pytest

from pipe.deploy_tests.lines import Lines
from pipe.http.excerpt import one_line
from pipe.secret import Mask, Secret, cut

VALUE = "t0ken/with+odd=chars&é"


def test_a_secret_prints_as_stars() -> None:
    """In every form in which Python prints values."""
    secret = Secret(VALUE)
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***"] * 3 + ["[***]"]
    assert secret.reveal() == VALUE


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        base64.b64encode(VALUE.encode()).decode(),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
    ],
)
def test_every_form_of_a_secret_is_masked(form: str) -> None:
    """Raw, URL-encoded and base64."""
    mask = Mask()
    mask.add(Secret(VALUE))
    masked = mask.text(f"before {form} after")
    assert masked.startswith("before ***")
    assert form not in masked


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("after", ["", ":x"])
def test_a_secret_inside_a_longer_base64_text_is_masked(before: str, after: str) -> None:
    """At every alignment, such as `user:token` in a Basic header."""
    mask = Mask()
    mask.add(Secret("a-rather-long-token-0123456789"))
    plain = f"{before}a-rather-long-token-0123456789{after}"
    assert "***" in mask.text(base64.b64encode(plain.encode()).decode())


def test_text_without_secrets_is_unchanged() -> None:
    """An empty mask replaces nothing."""
    assert Mask().text("plain") == "plain"


def test_a_very_short_secret_is_not_masked() -> None:
    """Masking `a` everywhere would protect nothing."""
    mask = Mask()
    mask.add(Secret("a"))
    assert mask.text("a banana") == "a banana"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("IQoJb3JpZ2lu/X2VjEHQ+aCXV", r"IQoJb3JpZ2lu\/X2VjEHQ+aCXV"),
        ("IQoJb3JpZ2lu/X2VjEHQ+aCXV", r"IQoJb3JpZ2lu/X2VjEHQ\u002BaCXV"),
        ("it's=secret", r"it\u0027s\u003dsecret"),
        ("ab<cd>ef&gh", r"ab\u003ccd\u003eef\u0026gh"),
        ("p@ss!word*(9)'x~", "p%40ss!word*(9)'x~"),
        ("p@ss!word*(9)'x~", "p%40ss%21word*%289%29%27x%7E"),
        ("a/b+c=d1234", "a%252Fb%252Bc%253Dd1234"),
        ('it\'s-a-"secret"', "it&#39;s-a-&#34;secret&#34;"),
        ("it's-a-secret", "it&#x27;s-a-secret"),
        ("it's-a-secret", "it&apos;s-a-secret"),
        ("it's-a-secret", "it'\\''s-a-secret"),
        ("pa$$w ord!", r"pa\$\$w\ ord\!"),
        ('pa$$w"ord`x', r"pa\$\$w\"ord\`x"),
        ("two  words\tand more", "two words and more"),
        ("abc<def>ghij", "abc ghij"),
        ("12345678", "3132333435363738"),
        # These can be read in two ways.
        ("00ß}", r"00\xdf}"),
        ("x&Z;y", "x&amp;Z;y"),
        ("&amp;x", "&amp;amp;x"),
        ("%25ab", "%2525ab"),
    ],
)
def test_the_spellings_of_other_programs_are_masked(secret: str, text: str) -> None:
    """PHP, .NET, Java, Go, JavaScript, HTML, shells; and as excerpts have it."""
    mask = Mask()
    mask.add(Secret(secret))
    assert mask.text(f"see {text}, please") == "see ***, please"


@pytest.mark.parametrize("before", [b"", b"ci:", b"user:"])
@pytest.mark.parametrize("blank", ["\n", "\r\n", " ", "\\n"])
def test_base64_in_lines_is_masked(before: bytes, blank: str) -> None:
    """With line breaks, with blanks instead of them, and each line on its own."""
    mask = Mask()
    mask.add(Secret("tok-0123456789abcdefghijklmnopqrstuvwxyz-" * 4))
    lines = base64.encodebytes(before + b"tok-0123456789abcdefghijklmnopqrstuvwxyz-" * 4).decode()
    assert len(mask.text(lines.strip().replace("\n", blank))) < 14
    assert all(len(mask.text(line)) < 14 for line in lines.split())


@pytest.mark.parametrize("shown", range(4, 44))
@pytest.mark.parametrize(
    "secret", ["tok-ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-end", "a...b...c...d" * 4]
)
def test_the_beginning_of_a_secret_before_a_cut_is_masked(secret: str, shown: int) -> None:
    """Wherever the cut is, even for secrets with dots, and wherever texts are cut twice."""
    mask = Mask()
    mask.add(Secret(secret))
    assert mask.text(cut(f"denied: {secret}", 8 + shown)).startswith("denied: ***")
    assert secret[:4] not in mask.text(one_line(f"{'x' * (300 - shown)}{secret}"))
    tags = "<b></b>" * 1000
    excerpt = one_line(f"{tags[: 5999 - shown]} {secret} rest")
    assert secret[:4] not in mask.text(excerpt)


def test_a_cut_does_not_garble_other_texts() -> None:
    """Fewer than four characters in common are no secret."""
    mask = Mask()
    mask.add(Secret("tok-0123456789"))
    assert mask.text("the tok... and the token...") == "the tok... and the token..."


def test_a_line_too_long_to_hold_is_cut_after_no_part_of_a_secret() -> None:
    """Masking shortens a line so much that its cut end is shown."""
    mask, secret = Mask(), "tok-" + "0123456789abcdef" * 60
    mask.add(Secret(secret))
    written: list[str] = []
    lines = Lines(written.append, mask.text)
    lines.feed(f"{secret * 80}\n".encode())
    assert "0123" not in "".join([*written, *lines.kept()])


@pytest.mark.parametrize(
    "secret", ["a" * 2_000_000, 'a<"\n+/' * 330_000, "\n".join(map(str, range(250_000)))]
)
def test_a_huge_secret_takes_no_time(secret: str) -> None:
    """Two megabytes are masked as they are, and their beginning in every spelling."""
    began = time.process_time()
    mask = Mask()
    mask.add(Secret(secret))
    assert mask.text(f"see {secret}") == "see ***"
    for text in ("a" * 6000, 'a<"\n+/' * 1000, "1\n2\n3\n" * 1000):
        mask.text(text)
    assert time.process_time() - began < 10.0
