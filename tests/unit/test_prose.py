"""Sentences that are put together from parts that already end in a full stop."""

from __future__ import annotations

import pytest

from pipe.errors import NotFound, combined
from pipe.http import Reply
from pipe.identity.aws import AwsRefusal
from pipe.portal import error_body
from pipe.secret import clause
from tests.support.prose import blunders


@pytest.mark.parametrize(
    "text",
    [
        "Nothing was changed. Nothing was changed.",
        "The variables have 1 problem; nothing was changed. Nothing was changed.",
        'The portal answered 500 for the list of pods: "broken"..',
        'The portal refuses the token: "Access denied.".',
        "web: no node: 3 Insufficient memory.; api: ready.",
        "The portal answered 500: .",
    ],
)
def test_blunders_are_found(text: str) -> None:
    """The check of every run is able to fail."""
    assert blunders(text)


def test_a_good_line_has_no_blunders() -> None:
    """Dots of an abbreviated text, versions and repeated words are fine."""
    line = '✖ web: pod web-1: "no space left...". Now: web is set to team/web:1.4.2. (exit code 10)'
    assert blunders(line) == []


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [("It failed.", "It failed"), ("No stop", "No stop"), ("A...", "A...")],
)
def test_a_clause_keeps_the_dots_by_which_the_mask_finds_half_a_secret(
    sentence: str, expected: str
) -> None:
    """Only a single full stop is dropped."""
    assert clause(sentence) == expected


def test_messages_of_the_portal_and_of_aws_are_quoted_without_their_full_stop() -> None:
    """The sentence around the quotation has its own."""
    reply = Reply(403, {}, b'{"Message": "Authorization has been denied."}')
    assert error_body.message(reply) == "Authorization has been denied"
    assert str(AwsRefusal("GetSecretValue", "Denied", "Not allowed.", 400)) == "Denied: Not allowed"


def test_several_wrong_names_have_one_remedy() -> None:
    """A sentence that all errors share is given once."""
    errors = [NotFound.named("service", "SERVICES", name, ["web"]) for name in ("wbe", "wep")]
    assert combined(errors).remedy == "Correct SERVICES. Existing names (service): web."
    other = NotFound.named("CronJob", "SERVICES", "x", ["nightly"])
    assert combined([*errors, other]).remedy == (
        "Correct SERVICES. Existing names (service): web. Existing names (CronJob): nightly."
    )
