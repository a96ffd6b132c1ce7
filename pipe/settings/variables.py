"""The table of variables: the pipe's interface, declared once.

`make docs` writes README and `pipe.yml` from it; `load` reads the environment by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipe.kind import Kind


@dataclass(frozen=True)
class Variable:
    """A variable as users see it.

    `default` is the text that replaces an absent or empty value. `example` is the value in the
    line that a problem suggests. `may_hold_dollar` marks values in which `$` is ordinary text.
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
        """Return the line to write under `variables:` in bitbucket-pipelines.yml."""
        return f"{self.name}: {self.example or repr(self.default or 'value')}"


def _listed(kinds: Iterable[Kind], last: str) -> str:
    """Return the kinds as `a`, `b` <last> `c`."""
    *others, final = (f"`{kind}`" for kind in kinds)
    return f"{', '.join(others)} {last} {final}" if others else final


def _refused(capability: str) -> str:
    """Return the sentence that names the kinds without a capability, empty if all have it."""
    refused = [kind for kind in Kind if not getattr(kind.capabilities, capability)]
    return f"Not for {_listed(refused, 'and')}." if refused else ""


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
    Variable(
        "ENV",
        "Environment variables to set in the same change as the image: a list of "
        "`[[kind:]name[/container]:]NAME=value`, or `@path` of a file. "
        f"{_refused('sets_environment')}",
        example="['LOG_LEVEL=info', 'web/sidecar:PORT=8080']",
        may_hold_dollar=True,
    ),
    Variable(
        "ENV_REMOVE",
        "Environment variables to remove in the same change: names, in the form of `ENV`.",
        example="['OLD_FLAG']",
    ),
    Variable(
        "REPLICAS",
        f"Number of replicas to set in the same change. {_refused('sets_replicas')}",
        example="'3'",
    ),
    # Image
    Variable(
        "VERIFY_IMAGE",
        "Verify before any change that the image exists: `auto`, `true` or `false`.",
        default="auto",
    ),
    Variable(
        "PIN_DIGEST",
        "Deploy `repository@sha256:...` instead of the tag.",
        default="false",
    ),
    Variable(
        "MAX_SEVERITY",
        "Refuse an image whose ECR scan has findings above this severity: `NONE`, `LOW`, `MEDIUM`, "
        "`HIGH`.",
    ),
    Variable("REGISTRY_USERNAME", "User name for the image's registry, other than ECR."),
    Variable(
        "REGISTRY_PASSWORD",
        "Password for the image's registry; sent to no other one.",
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
        "Region for STS and ECR; by default the one in an ECR image name.",
        example="'eu-west-1'",
    ),
    Variable(
        "AWS_ROLE_SESSION_NAME",
        "Name of the role's session; by default made of repository and build number.",
        example="'deploy'",
    ),
    Variable(
        "AWS_ROLE_DURATION",
        "Lifetime of the role's credentials, in seconds.",
        default="3600",
    ),
    Variable(
        "AWS_ACCESS_KEY_ID",
        "Used only if no role is given.",
        example="$AWS_ACCESS_KEY_ID",
        secret=True,
    ),
    Variable(
        "AWS_SECRET_ACCESS_KEY",
        "Used only if no role is given.",
        example="$AWS_SECRET_ACCESS_KEY",
        secret=True,
    ),
    Variable(
        "AWS_SESSION_TOKEN",
        "Used only if no role is given.",
        example="$AWS_SESSION_TOKEN",
        secret=True,
    ),
    Variable(
        "AWS_FROM_PORTAL",
        "Without a role or keys, use the tenant's temporary credentials from the portal: `auto` "
        "(where an image in ECR needs them), `true` (required) or `false` (never).",
        default="auto",
    ),
    # Rollout
    Variable("WAIT", "Follow the rollout until the new version serves.", default="true"),
    Variable("WAIT_TIMEOUT", "How long to follow a rollout, in seconds.", default="900"),
    Variable(
        "STABLE_SECONDS",
        "How long every new pod must stay up before the rollout is complete, in seconds.",
        default="5",
    ),
    Variable(
        "CRASH_LIMIT",
        "The rollout has failed once a container has ended this often; `0` waits until the time is "
        "up.",
        default="3",
    ),
    Variable(
        "KUBERNETES",
        "Follow services by what Kubernetes itself reports, with the temporary access that the "
        "portal issues: `auto` (where that is possible), `true` (required) or `false` (never).",
        default="auto",
    ),
    Variable(
        "ROLLBACK",
        "Roll back to the previous image if the rollout or a post-deploy test fails, and verify "
        "that it runs.",
        default="false",
    ),
    Variable(
        "RESTART",
        f"Restart the targets even if their image is unchanged. {_refused('can_restart')}",
        default="false",
    ),
    # Release command
    Variable(
        "RELEASE_COMMAND",
        "Shell command, run once inside the tenant before any target changes: in the new image, "
        "with the target's own environment, secrets and mounts. A list is run without a shell, one "
        f"entry an argument. {_refused('runs_jobs')}",
        example="'python manage.py migrate'",
        may_hold_dollar=True,
    ),
    Variable(
        "RELEASE_TARGET",
        "The target whose environment it gets, `[kind:]name`; by default the first that can run "
        "commands.",
        example="'myservice'",
    ),
    Variable(
        "RELEASE_TIMEOUT",
        "Time limit for `RELEASE_COMMAND` and for `COMMAND`, in seconds.",
        default="600",
    ),
    Variable(
        "COMMAND",
        "With `ACTION: run`: run this in the same way, in the image that the target runs now or in "
        "`IMAGE`, and change nothing.",
        example="'python manage.py report'",
        may_hold_dollar=True,
    ),
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
        "PRE_DEPLOY_TEST_IN",
        "Where `PRE_DEPLOY_TEST` runs: `step`, or `tenant` to reach private addresses.",
        default="step",
    ),
    Variable("POST_DEPLOY_TEST_IN", "The same for `POST_DEPLOY_TEST`.", default="step"),
    Variable(
        "POST_DEPLOY_URL",
        "Address to probe after the rollout, or a path on the service's own address.",
    ),
    Variable("POST_DEPLOY_STATUS", "Accepted status codes.", default="200-399"),
    Variable(
        "POST_DEPLOY_BODY",
        "Regular expression to find in the first megabyte of the response.",
        may_hold_dollar=True,
    ),
    Variable("TEST_TIMEOUT", "Time limit for each test, in seconds.", default="300"),
    # Reports and notifications
    Variable(
        "REPORT_DIR",
        "Folder for `deploy.json`, `deploy.env` and `deploy.html`; by default the pipe's storage "
        "folder.",
    ),
    Variable("TEST_REPORT_DIR", "Folder for the JUnit report.", default="test-results"),
    Variable("CODE_INSIGHTS", "Publish a report on the commit.", default="false"),
    Variable(
        "WEBHOOK",
        "Address that gets the record as JSON when the run ends; Microsoft Teams Workflows gets an "
        "Adaptive Card.",
        example="$WEBHOOK",
        secret=True,
    ),
    Variable("SLACK_WEBHOOK", "Slack webhook to post messages to.", secret=True),
    Variable("NOTIF_REGION", "Region named in the messages."),
    Variable("NOTIF_ACCOUNT", "Account named in the messages."),
    Variable("NOTIF_ENV", "Environment named in the messages."),
    # General
    Variable(
        "ACTION",
        "What to do: `deploy`, `check`, `rollback`, `run` (`COMMAND`) or `trust-policy`.",
        default="deploy",
    ),
    Variable("DRY_RUN", "Print the plan and stop.", default="false"),
    Variable(
        "CA_CERT",
        "Additional certificates to trust: PEM text, or a path in the clone folder.",
    ),
    Variable("HTTPS_PROXY", "Proxy for https addresses."),
    Variable("HTTP_PROXY", "Proxy for http addresses."),
    Variable("NO_PROXY", "Hosts to reach without the proxy, separated by commas."),
    Variable("DEBUG", "Log more detail; never a secret.", default="false"),
)

AMBIENT_SECRETS = ("BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN")
"""Tokens that Bitbucket adds to the environment."""

BY_NAME = {variable.name: variable for variable in VARIABLES}
