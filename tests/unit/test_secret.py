"""Secrets and their masking."""

import base64
from urllib.parse import quote, quote_plus

import pytest

from pipe.secret import Mask, Secret

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
