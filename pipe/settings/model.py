"""What a run is asked to do, as types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipe.image import Image
from pipe.model import Target
from pipe.secret import Secret


class Action(StrEnum):
    """What the run is for."""

    DEPLOY = "deploy"
    CHECK = "check"
    ROLLBACK = "rollback"
    TRUST_POLICY = "trust-policy"


@dataclass(frozen=True)
class ImageRequest:
    """One target and the image it is to run; `container` is empty for the main one.

    `image` may be `pipe.image.NONE` for a rollback only, which finds out by itself.
    """

    target: Target
    image: Image
    container: str = ""


class Verify(StrEnum):
    """Whether an image must be proven to exist before anything changes."""

    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class Severity(StrEnum):
    """The limits that `MAX_SEVERITY` may set on a scan's findings."""

    NONE = "NONE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@dataclass(frozen=True)
class ImageRules:
    """What an image has to stand before it is deployed; `max_severity` is None for no limit."""

    verify: Verify
    pin_digest: bool
    max_severity: Severity | None
    registry_username: str
    registry_password: Secret


@dataclass(frozen=True)
class Keys:
    """A pair of AWS keys; `session_token` is empty for those of a user."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret


@dataclass(frozen=True)
class AwsSettings:
    """How to be somebody in AWS; without `role_arn` and `keys` the pipe is nobody there.

    `region` is empty when nothing tells it. `duration` is in seconds.
    """

    role_arn: str
    region: str
    session_name: str
    duration: int
    keys: Keys | None
    web_identity: Secret

    @property
    def given(self) -> bool:
        """Whether there is any identity to use."""
        return bool(self.role_arn) or self.keys is not None


@dataclass(frozen=True)
class Proxies:
    """The way out, where there is one; localhost never goes through it."""

    http: str = ""
    https: str = ""
    exempt: str = ""


@dataclass(frozen=True)
class Step:
    """What Bitbucket says of the step by itself; every field is empty in a local run.

    The ids are in braces, as Bitbucket writes them.
    """

    workspace: str
    workspace_id: str
    repository: str
    repository_id: str
    build_number: str
    run_number: str
    commit: str
    branch: str
    tag: str
    deployment: str
    deployment_id: str
    pipeline: str
    step: str
    clone_dir: Path


@dataclass(frozen=True)
class Tests:
    """What is to be proven before and after the change; empty where nothing is asked for.

    `status` holds ranges of accepted codes, both ends included; `seconds` is the limit of each
    test; `environment` is what commands may see of the run's own, `withheld` the names of
    variables that they may not see because they quote a secret of the pipe.
    """

    before: str
    before_image: Image | None
    after: str
    after_image: Image | None
    url: str
    status: tuple[tuple[int, int], ...]
    body: re.Pattern[str] | None
    seconds: float
    environment: Mapping[str, str] = field(repr=False, compare=False)
    withheld: tuple[str, ...] = ()

    @property
    def any_after(self) -> bool:
        """Whether anything is tested after the rollout."""
        return bool(self.after or self.url)


@dataclass(frozen=True)
class NotificationSettings:
    """Who hears of the run: people through Slack, Bitbucket through reports.

    `test_report_dir` is None in a local run that does not ask for it.
    """

    test_report_dir: Path | None
    code_insights: bool
    slack: Secret
    region: str
    account: str
    environment: str


@dataclass(frozen=True)
class Settings:
    """Everything the variables say, checked and typed. Durations are seconds.

    `token` is empty where `token_secret` names the place in AWS Secrets Manager to read it from.
    For the action trust-policy everything that is not about AWS may be empty.
    """

    host: str
    token: Secret
    token_secret: str
    tenant: str
    image_requests: tuple[ImageRequest, ...]
    image_rules: ImageRules
    aws: AwsSettings
    action: Action
    wait: bool
    wait_timeout: float
    stable_seconds: float
    rollback: bool
    restart: bool
    dry_run: bool
    debug: bool
    report_dir: Path | None
    ca_cert: str
    proxies: Proxies
    step: Step
    tests: Tests
    notifications: NotificationSettings

    @property
    def tests_again(self) -> bool:
        """Whether this is another run of a step whose first one may not have lived to test."""
        return self.tests.any_after and self.step.run_number not in ("", "1")
