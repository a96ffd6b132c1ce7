"""Every variable of the contract with users, declared once.

README and `pipe.yml` are tested against this table, and `load` walks it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipe.kind import Kind


@dataclass(frozen=True)
class Variable:
    """One variable as users see it.

    `default` is what an absent or empty value means, as text. `example` completes the line
    that a problem message tells people to add. `may_hold_dollar` marks values in which `$`
    stands in its own right.
    """

    name: str
    usage: str
    default: str = ""
    example: str = ""
    required: bool = False
    secret: bool = False
    may_hold_dollar: bool = False

    @property
    def line(self) -> str:
        """The line to write under `variables:` in bitbucket-pipelines.yml."""
        return f"{self.name}: {self.example or repr(self.default or 'value')}"


def _listed(kinds: Iterable[Kind], last: str) -> str:
    """Return the kinds as `a`, `b` <last> `c`."""
    *others, final = (f"`{kind}`" for kind in kinds)
    return f"{', '.join(others)} {last} {final}" if others else final


def _restart_usage() -> str:
    """Return the usage of RESTART, with the kinds it does not apply to."""
    refused = [kind for kind in Kind if not kind.capabilities.can_restart]
    exception = f" Not for {_listed(refused, 'and')}." if refused else ""
    return f"Restart the targets even if their image is unchanged.{exception}"


VARIABLES = (
    # What to deploy
    Variable(
        "DUPLO_HOST",
        "Address of the portal.",
        example="'https://example.nholuongut.net'",
        required=True,
    ),
    Variable(
        "DUPLO_TOKEN",
        "API token of a service account.",
        example="$DUPLO_TOKEN",
        required=True,
        secret=True,
    ),
    Variable(
        "DUPLO_TOKEN_SECRET",
        "Instead of `DUPLO_TOKEN`: name or ARN of an AWS Secrets Manager secret that holds it.",
        example="'deploy/portal-token'",
    ),
    Variable("TENANT", "Name (any case) or id of the tenant.", example="'dev01'", required=True),
    Variable(
        "SERVICE",
        "One name, or several separated by commas or spaces.",
        example="'myservice'",
        required=True,
    ),
    Variable(
        "IMAGE",
        "The new image, `repository:tag` or `repository@sha256:...`.",
        example="'myimage:1.2.3'",
        required=True,
    ),
    Variable(
        "SERVICES",
        "Instead of `SERVICE` and `IMAGE`: a list of `[kind:]name[/container]=image`.",
        example="['web=myimage:1.2.3', 'web/sidecar=other:4', 'lambda:resize=resize:7']",
    ),
    Variable(
        "KIND",
        f"Kind of the targets: {_listed(Kind, 'or')}. An entry in `SERVICES` may name its own.",
        default=str(Kind.SERVICE),
    ),
    # Image
    Variable(
        "VERIFY_IMAGE",
        "Prove before any change that the image exists: `auto`, `true` or `false`.",
        default="auto",
    ),
    Variable(
        "PIN_DIGEST",
        "Deploy `repository@sha256:...` instead of the tag.",
        default="false",
    ),
    Variable(
        "MAX_SEVERITY",
        "Refuse an image whose ECR scan holds findings above this: `NONE`, `LOW`, `MEDIUM`, "
        "`HIGH`.",
    ),
    Variable("REGISTRY_USERNAME", "User for a private registry that is not ECR."),
    Variable(
        "REGISTRY_PASSWORD",
        "Password for a private registry that is not ECR.",
        example="$REGISTRY_PASSWORD",
        secret=True,
    ),
    # AWS
    Variable(
        "AWS_OIDC_ROLE_ARN",
        "Role to assume with the step's web identity (`oidc: true`).",
        example="'arn:aws:iam::123456789012:role/deploy'",
    ),
    Variable(
        "AWS_DEFAULT_REGION",
        "Region for STS and ECR; the one in an ECR image name when not given.",
        example="'eu-west-1'",
    ),
    Variable(
        "AWS_ROLE_SESSION_NAME",
        "Name of the role's session; made of repository and build number when not given.",
        example="'deploy'",
    ),
    Variable(
        "AWS_ROLE_DURATION",
        "How long the role's credentials last, in seconds.",
        default="3600",
    ),
    Variable(
        "AWS_ACCESS_KEY_ID",
        "Used only when no role is given.",
        example="$AWS_ACCESS_KEY_ID",
        secret=True,
    ),
    Variable(
        "AWS_SECRET_ACCESS_KEY",
        "Used only when no role is given.",
        example="$AWS_SECRET_ACCESS_KEY",
        secret=True,
    ),
    Variable(
        "AWS_SESSION_TOKEN",
        "Used only when no role is given.",
        example="$AWS_SESSION_TOKEN",
        secret=True,
    ),
    # Rollout
    Variable("WAIT", "Follow the rollout until the new version serves.", default="true"),
    Variable("WAIT_TIMEOUT", "How long to follow a rollout, in seconds.", default="900"),
    Variable(
        "STABLE_SECONDS",
        "How long every new pod must stay up before the rollout counts as done.",
        default="5",
    ),
    Variable(
        "ROLLBACK",
        "Put the previous image back when the rollout or a post-deploy test fails, and verify "
        "that it runs.",
        default="false",
    ),
    Variable("RESTART", _restart_usage(), default="false"),
    # Tests
    Variable(
        "PRE_DEPLOY_TEST",
        "Shell command, run in the clone folder before anything changes.",
        may_hold_dollar=True,
    ),
    Variable(
        "POST_DEPLOY_TEST",
        "Shell command, run after the rollout.",
        may_hold_dollar=True,
    ),
    Variable("PRE_DEPLOY_TEST_IMAGE", "Run `PRE_DEPLOY_TEST` inside this image."),
    Variable("POST_DEPLOY_TEST_IMAGE", "Run `POST_DEPLOY_TEST` inside this image."),
    Variable(
        "POST_DEPLOY_URL",
        "Address, or path on the service's own address, to probe after the rollout.",
    ),
    Variable("POST_DEPLOY_STATUS", "Accepted status codes.", default="200-399"),
    Variable(
        "POST_DEPLOY_BODY",
        "Regular expression that the answer must contain.",
        may_hold_dollar=True,
    ),
    Variable("TEST_TIMEOUT", "Seconds for each test.", default="300"),
    # NotificationSettings people
    Variable(
        "REPORT_DIR",
        "Where `deploy.json`, `deploy.env` and `deploy.html` are written; the pipe's storage "
        "folder when not given.",
    ),
    Variable("TEST_REPORT_DIR", "Where the JUnit report goes.", default="test-results"),
    Variable("CODE_INSIGHTS", "Put a report on the commit.", default="false"),
    Variable("SLACK_WEBHOOK", "Where to post messages.", secret=True),
    Variable("NOTIF_REGION", "Region named in the messages."),
    Variable("NOTIF_ACCOUNT", "Account named in the messages."),
    Variable("NOTIF_ENV", "Environment named in the messages."),
    # General
    Variable(
        "ACTION",
        "What to do: `deploy`, `check`, `rollback` or `trust-policy`.",
        default="deploy",
    ),
    Variable("DRY_RUN", "Print the plan and stop.", default="false"),
    Variable(
        "CA_CERT",
        "PEM text, or a path in the clone folder, of certificates to trust besides the usual.",
    ),
    Variable("HTTPS_PROXY", "Proxy for https addresses."),
    Variable("HTTP_PROXY", "Proxy for http addresses."),
    Variable("NO_PROXY", "Hosts that are reached without the proxy, separated by commas."),
    Variable("DEBUG", "Show more detail; never a secret.", default="false"),
)

AMBIENT_SECRETS = ("BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN")
"""Tokens that Bitbucket puts into the environment by itself."""

BY_NAME = {variable.name: variable for variable in VARIABLES}
