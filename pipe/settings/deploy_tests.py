"""Read the settings of deploy tests and of notifications."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipe.image import Image
from pipe.secret import Secret
from pipe.settings import addresses, parsers
from pipe.settings.model import DeployTestSettings, NotificationSettings, Place, Step
from pipe.settings.reader import Reader
from pipe.settings.variables import AMBIENT_SECRETS, BY_NAME, VARIABLES

_LONGEST_TEST = 24 * 3600
_HALF_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""Not secret by themselves, but AWS tools fail if they find one without its secret half."""
_SECRETS = frozenset((*(entry.name for entry in VARIABLES if entry.secret), *AMBIENT_SECRETS))
_FOR_TARGETS = re.compile("ENV(_COUNT|_[0-9]+)?")
"""The list `ENV`: values for targets, and for shells the name of a file to read at their start."""
_SHORTEST_SECRET = 8
"""Shorter values occur in others by accident."""


def read_tests(reader: Reader, environ: Mapping[str, str]) -> DeployTestSettings:
    """Return the configured tests and the part of the environment they may see."""
    tests = DeployTestSettings(
        before=reader.value("PRE_DEPLOY_TEST"),
        before_image=_image(reader, "PRE_DEPLOY_TEST_IMAGE"),
        after=reader.value("POST_DEPLOY_TEST"),
        after_image=_image(reader, "POST_DEPLOY_TEST_IMAGE"),
        url=reader.read("POST_DEPLOY_URL", addresses.probe, ""),
        status=reader.read("POST_DEPLOY_STATUS", parsers.status_codes, ()),
        body=reader.read("POST_DEPLOY_BODY", parsers.regular_expression, None),
        seconds=reader.read("TEST_TIMEOUT", parsers.seconds(1, _LONGEST_TEST), 300.0),
        environment=_without_secrets(environ),
        withheld=_quoting_secrets(environ),
        before_in=_place(reader, "PRE_DEPLOY_TEST_IN"),
        after_in=_place(reader, "POST_DEPLOY_TEST_IN"),
    )
    for name, needed in (
        ("PRE_DEPLOY_TEST_IMAGE", "PRE_DEPLOY_TEST"),
        ("POST_DEPLOY_TEST_IMAGE", "POST_DEPLOY_TEST"),
        ("PRE_DEPLOY_TEST_IN", "PRE_DEPLOY_TEST"),
        ("POST_DEPLOY_TEST_IN", "POST_DEPLOY_TEST"),
        ("POST_DEPLOY_STATUS", "POST_DEPLOY_URL"),
        ("POST_DEPLOY_BODY", "POST_DEPLOY_URL"),
    ):
        if reader.raw(name) not in ("", BY_NAME[name].default) and not reader.raw(needed):
            reader.refuse(
                name,
                f"is set without {needed} and has no effect",
                f"Add {needed}, or remove {name}",
            )
    return tests


def read_notifications(
    reader: Reader, environ: Mapping[str, str], step: Step
) -> NotificationSettings:
    """Return the notification channels and where the test report goes.

    Bitbucket picks up reports in the default folder; elsewhere none is written unless requested.
    """
    folder = reader.value("TEST_REPORT_DIR")
    requested = folder != BY_NAME["TEST_REPORT_DIR"].default or environ.get("BITBUCKET_CLONE_DIR")
    return NotificationSettings(
        test_report_dir=step.clone_dir / folder if folder and requested else None,
        code_insights=reader.read("CODE_INSIGHTS", parsers.boolean, otherwise=False),
        slack=reader.read("SLACK_WEBHOOK", addresses.webhook, Secret("")),
        region=reader.value("NOTIF_REGION"),
        account=reader.value("NOTIF_ACCOUNT"),
        environment=reader.value("NOTIF_ENV"),
        webhook=reader.read("WEBHOOK", addresses.webhook, Secret("")),
    )


def _without_secrets(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without the pipe's secrets and variables that quote them.

    Proxies stay, including their passwords: a test may need them to reach anything.
    """
    hidden = {*_SECRETS, *_HALF_CREDENTIALS, *_quoting_secrets(environ)}
    return {
        name: value
        for name, value in environ.items()
        if name not in hidden and not _FOR_TARGETS.fullmatch(name)
    }


def _quoting_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of variables whose value contains a secret of the pipe."""
    values = [
        value
        for name in _SECRETS
        if len(value := environ.get(name, "").strip()) >= _SHORTEST_SECRET
    ]
    return tuple(
        name
        for name, value in environ.items()
        if name not in _SECRETS and any(secret in value for secret in values)
    )


def _image(reader: Reader, name: str) -> Image | None:
    none: Image | None = None
    return reader.read(name, parsers.image, none)


def _place(reader: Reader, name: str) -> Place:
    return reader.read(name, parsers.choice(Place), Place.STEP)
