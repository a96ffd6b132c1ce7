"""The variables about tests and about telling people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipe.image import Image
from pipe.secret import Secret
from pipe.settings import parsers
from pipe.settings.model import NotificationSettings, Step, Tests
from pipe.settings.variables import AMBIENT_SECRETS, BY_NAME, VARIABLES

if TYPE_CHECKING:
    from pipe.settings.load import Reader

_LONGEST_TEST = 24 * 3600
_KEPT_BACK = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""No secrets by themselves, but each would make a tool look for the half that is one."""
_SECRETS = frozenset((*(entry.name for entry in VARIABLES if entry.secret), *AMBIENT_SECRETS))
_SHORTEST = 8
"""Values shorter than this occur in others by accident."""


def read_tests(reader: Reader, environ: Mapping[str, str]) -> Tests:
    """The tests that are asked for, and what they may see of the environment."""
    tests = Tests(
        before=reader.value("PRE_DEPLOY_TEST"),
        before_image=_image(reader, "PRE_DEPLOY_TEST_IMAGE"),
        after=reader.value("POST_DEPLOY_TEST"),
        after_image=_image(reader, "POST_DEPLOY_TEST_IMAGE"),
        url=reader.read("POST_DEPLOY_URL", parsers.probe_address, ""),
        status=reader.read("POST_DEPLOY_STATUS", parsers.status_codes, ()),
        body=reader.read("POST_DEPLOY_BODY", parsers.expression, None),
        seconds=reader.read("TEST_TIMEOUT", parsers.seconds(1, _LONGEST_TEST), 300.0),
        environment=visible(environ),
        withheld=quoting(environ),
    )
    for name, needed in (
        ("PRE_DEPLOY_TEST_IMAGE", "PRE_DEPLOY_TEST"),
        ("POST_DEPLOY_TEST_IMAGE", "POST_DEPLOY_TEST"),
        ("POST_DEPLOY_STATUS", "POST_DEPLOY_URL"),
        ("POST_DEPLOY_BODY", "POST_DEPLOY_URL"),
    ):
        if reader.raw(name) not in ("", BY_NAME[name].default) and not reader.raw(needed):
            reader.refuse(
                name,
                f"is given without {needed}, so there is nothing to use it for",
                f"Add {needed}, or remove {name}",
            )
    return tests


def read_notifications(
    reader: Reader, environ: Mapping[str, str], step: Step
) -> NotificationSettings:
    """Who is told about the run, and where its test report goes.

    Bitbucket finds the default by itself; a run anywhere else leaves nothing behind unasked.
    """
    folder = reader.value("TEST_REPORT_DIR")
    wanted = folder != BY_NAME["TEST_REPORT_DIR"].default or environ.get("BITBUCKET_CLONE_DIR")
    return NotificationSettings(
        test_report_dir=step.clone_dir / folder if folder and wanted else None,
        code_insights=reader.read("CODE_INSIGHTS", parsers.yes_or_no, otherwise=False),
        slack=reader.read("SLACK_WEBHOOK", parsers.webhook, Secret("")),
        region=reader.value("NOTIF_REGION"),
        account=reader.value("NOTIF_ACCOUNT"),
        environment=reader.value("NOTIF_ENV"),
    )


def visible(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment without the pipe's own secrets, whatever variable quotes them.

    Proxies stay, password and all: without them a test reaches nothing.
    """
    hidden = {*_SECRETS, *_KEPT_BACK, *quoting(environ)}
    return {name: value for name, value in environ.items() if name not in hidden}


def quoting(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables of the user's own that hold the value of one of the pipe's secrets."""
    values = [
        value for name in _SECRETS if len(value := environ.get(name, "").strip()) >= _SHORTEST
    ]
    return tuple(
        name
        for name, value in environ.items()
        if name not in _SECRETS and any(secret in value for secret in values)
    )


def _image(reader: Reader, name: str) -> Image | None:
    none: Image | None = None
    return reader.read(name, parsers.image, none)
