"""The settings of a run, as types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from pipe.configuration import Configuration
from pipe.hosts import ecr_address, registry_host
from pipe.image import NONE, Image
from pipe.secret import Secret
from pipe.target import Target


class Action(StrEnum):
    """What the run does."""

    DEPLOY = "deploy"
    CHECK = "check"
    ROLLBACK = "rollback"
    RUN = "run"
    TRUST_POLICY = "trust-policy"


@dataclass(frozen=True)
class ImageRequest:
    """A target and the image it should run; `container` is empty for the main one.

    `image` may be `pipe.image.NONE` for a rollback, which then finds the previous image, and for
    `ACTION: run`, which uses the image that the target runs.
    """

    target: Target
    image: Image
    container: str = ""


class Verify(StrEnum):
    """When an image must be verified before anything changes."""

    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class Severity(StrEnum):
    """The values of `MAX_SEVERITY`, the limit on a scan's findings."""

    NONE = "NONE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class FromPortal(StrEnum):
    """The values of `AWS_FROM_PORTAL`: whether to use the tenant's AWS credentials."""

    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class KubernetesView(StrEnum):
    """The values of `KUBERNETES`: whether to follow services by what Kubernetes itself shows."""

    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


@dataclass(frozen=True)
class ImageRules:
    """What an image must fulfil before it is deployed; `max_severity` None means no limit."""

    verify: Verify
    pin_digest: bool
    max_severity: Severity | None
    registry_username: str
    registry_password: Secret

    def without_login(self) -> ImageRules:
        """Return the same rules for a registry that must not get the password."""
        return replace(self, registry_username="", registry_password=Secret(""))


@dataclass(frozen=True)
class Keys:
    """A pair of AWS keys; `session_token` is empty for a user's permanent keys."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret


@dataclass(frozen=True)
class AwsSettings:
    """The AWS identity to use; without `role_arn` and `keys` only the portal may give one.

    `region` is empty if unknown. `duration` is in seconds. `endpoints` holds the addresses of
    services, by boto3's name, that are not at AWS's own.
    """

    role_arn: str
    region: str
    session_name: str
    duration: int
    keys: Keys | None
    web_identity: Secret
    endpoints: Mapping[str, str] = field(default_factory=dict)
    from_portal: FromPortal = FromPortal.AUTO

    @property
    def given(self) -> bool:
        """Return whether a role or keys are configured."""
        return bool(self.role_arn) or self.keys is not None

    @property
    def portal_wanted(self) -> bool:
        """Return whether the tenant's credentials may be used, because nothing else is given."""
        return not self.given and self.from_portal is not FromPortal.NEVER

    @property
    def portal_required(self) -> bool:
        """Return whether the run must not go on without the tenant's credentials."""
        return not self.given and self.from_portal is FromPortal.ALWAYS

    @property
    def owner(self) -> str:
        """The owner of the credentials, for messages."""
        if self.role_arn or self.keys:
            return self.role_arn or "the user of AWS_ACCESS_KEY_ID"
        return "the tenant's role, whose credentials the portal issued"


@dataclass(frozen=True)
class Proxies:
    """The outgoing proxies, empty if none; localhost is never reached through them."""

    http: str = ""
    https: str = ""
    exempt: str = ""


@dataclass(frozen=True)
class Step:
    """The step as Bitbucket describes it; every text is empty in a local run.

    Ids are in braces, as Bitbucket writes them.
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


class Place(StrEnum):
    """The values of `PRE_DEPLOY_TEST_IN` and `POST_DEPLOY_TEST_IN`: where a test runs."""

    STEP = "step"
    TENANT = "tenant"


@dataclass(frozen=True)
class DeployTestSettings:
    """The user's tests before and after the change; empty where not configured.

    `status` holds ranges of accepted codes, both ends included; `seconds` is the limit for each
    test; `environment` is the part of the run's environment that commands see; `withheld` names
    the variables that they do not see because they quote a secret of the pipe.
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
    before_in: Place = Place.STEP
    after_in: Place = Place.STEP

    @property
    def any_in_step(self) -> bool:
        """Return whether a command runs in the step."""
        return bool(self.before and self.before_in is Place.STEP) or bool(
            self.after and self.after_in is Place.STEP
        )

    @property
    def step_images(self) -> tuple[Image, ...]:
        """The images that the step's Docker service has to pull."""
        images = (
            (self.before_image, self.before_in),
            (self.after_image, self.after_in),
        )
        return tuple(image for image, place in images if image and place is Place.STEP)

    @property
    def any_after(self) -> bool:
        """Return whether anything is tested after the rollout."""
        return bool(self.after or self.url)


@dataclass(frozen=True)
class TenantCommandSettings:
    """The commands that run inside the tenant; empty where not configured.

    A command is a container's: a shell with its text, or the entries of a list. `target` is the one
    whose environment they get, as do tests in the tenant; None where nothing runs there. `seconds`
    is the limit for the release command and for the command of `ACTION: run`.
    """

    release: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    target: Target | None = None
    seconds: float = 600.0


@dataclass(frozen=True)
class NotificationSettings:
    """The channels that report the run: Slack, a webhook, Code Insights and the JUnit report.

    `test_report_dir` is None in a local run that does not set it.
    """

    test_report_dir: Path | None
    code_insights: bool
    slack: Secret
    region: str
    account: str
    environment: str
    webhook: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True)
class Settings:
    """All variables, validated and typed. Durations are in seconds.

    `token` is empty if `token_secret` names the AWS Secrets Manager secret that holds it.
    With the action trust-policy, everything not related to AWS may be empty.
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
    crash_limit: int
    rollback: bool
    restart: bool
    dry_run: bool
    debug: bool
    report_dir: Path | None
    ca_cert: str
    proxies: Proxies
    step: Step
    tests: DeployTestSettings
    notifications: NotificationSettings
    configurations: Mapping[Target, Configuration] = field(default_factory=dict)
    kubernetes: KubernetesView = KubernetesView.AUTO
    tenant_commands: TenantCommandSettings = field(default_factory=TenantCommandSettings)

    @property
    def targets_variable(self) -> str:
        """The variable that names the targets, as far as the requests show it."""
        one_image = len({request.image for request in self.image_requests}) == 1
        by_name = one_image and all(not request.container for request in self.image_requests)
        return "SERVICE" if by_name else "SERVICES"

    @property
    def token_variable(self) -> str:
        """The variable that the portal token comes from."""
        return "DUPLO_TOKEN_SECRET" if self.token_secret else "DUPLO_TOKEN"

    @property
    def password_hosts(self) -> frozenset[str]:
        """The registries of the images to deploy that are not in ECR; at most one with a login.

        REGISTRY_PASSWORD is sent to no other registry.
        """
        images = {request.image for request in self.image_requests} - {NONE}
        return frozenset(registry_host(image) for image in images if not ecr_address(image))

    @property
    def uses_ecr(self) -> bool:
        """Return whether an image to look up, or to run tests in, is known to be in ECR."""
        images = [*self.tests.step_images]
        if self.image_rules.verify is not Verify.NEVER:
            images += [request.image for request in self.image_requests]
        return any(ecr_address(image) for image in images)

    @property
    def tests_again(self) -> bool:
        """Return whether an earlier run of this step may have been stopped before its tests."""
        return self.tests.any_after and self.step.run_number not in ("", "1")
