"""From variables to `Settings`: every problem in one error, and nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from bitbucket_pipes_toolkit import Pipe

from pipe.errors import ConfigError, Problem
from pipe.kind import Kind
from pipe.secret import Secret
from pipe.settings import parsers
from pipe.settings.aws import cross_check, read_aws, read_image_rules, secret_name
from pipe.settings.deploy_tests import read_notifications, read_tests
from pipe.settings.model import Action, Proxies, Settings, Step
from pipe.settings.targets import read_image_requests
from pipe.settings.variables import AMBIENT_SECRETS, BY_NAME, VARIABLES, Variable

T = TypeVar("T")

_LONGEST_WAIT = 24 * 3600


class _Variables(Pipe):  # type: ignore[misc]
    """The toolkit's variables, read as the strings they are.

    The toolkit would pass everything else through YAML, where `010` is 8 and `on` is True.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        schema = {variable.name: {"type": "string"} for variable in VARIABLES}
        super().__init__(schema=schema, env=dict(environ))

    def enable_debug_log_level(self) -> None:
        """Leave levels alone: the toolkit would take the text `false` for a yes."""


class Reader:
    """Hands out values by name and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._values = _Variables(environ)
        self.excused: frozenset[str] = frozenset()
        """Names of required variables that this run can do without."""
        self.problems: list[Problem] = []

    def raw(self, name: str) -> str:
        """The value, without blanks around it; empty and absent are the same."""
        return (self._values.get_variable(name) or "").strip()

    def value(self, name: str) -> str:
        """The value or its default; refuses what is missing, and a reference left as text."""
        variable, value = BY_NAME[name], self.raw(name)
        if value and not variable.may_hold_dollar and parsers.LITERAL.fullmatch(value):
            self._refuse_literal(variable, value)
        elif not value and variable.required and name not in self.excused:
            self._refuse_missing(variable)
        else:
            return value or variable.default
        return ""

    def read(self, name: str, parse: parsers.Parser[T], otherwise: T) -> T:
        """The value as `parse` reads it; `otherwise` stands in where there is a problem."""
        variable, value = BY_NAME[name], self.value(name)
        if not value:
            return otherwise
        try:
            return parse(value)
        except ValueError as error:
            if not variable.secret and (literal := parsers.LITERAL.search(value)):
                self._refuse_literal(variable, literal[0])
            else:
                self.refuse(name, str(error))
            return otherwise

    def refuse(self, name: str, what: str, fix: str = "") -> None:
        """Note a problem; the line to write is the variable's own unless `fix` says more."""
        self.problems.append(
            Problem(name, what, fix or f"Write under variables:   {BY_NAME[name].line}")
        )

    def _refuse_literal(self, variable: Variable, value: str) -> None:
        self.refuse(
            variable.name,
            f"still holds the literal text {value}: nothing gave it a value",
            f"Write under variables:   {variable.line}   (a variable used there must be defined "
            "in the repository, the workspace or the deployment)",
        )

    def _refuse_missing(self, variable: Variable) -> None:
        others = set(self._environ) - set(BY_NAME)
        near = get_close_matches(variable.name, others, 1, 0.8)
        what = "is empty" if variable.name in self._environ else "is missing"
        self.refuse(variable.name, f"{what} (there is {near[0]}: a typo?)" if near else what)


def load(environ: Mapping[str, str]) -> Settings:
    """Read the environment; raises `ConfigError` with every problem found."""
    reader = Reader(environ)
    step = _step(environ)
    action = reader.read("ACTION", parsers.choice(Action), Action.DEPLOY)
    token_secret = reader.read("DUPLO_TOKEN_SECRET", secret_name, "")
    reader.excused = _excused(action, token_secret)
    image_requests = read_image_requests(reader, environ, action)
    settings = Settings(
        host=reader.read("DUPLO_HOST", parsers.portal_address, ""),
        token=reader.read("DUPLO_TOKEN", parsers.token, Secret("")),
        token_secret=token_secret,
        tenant=reader.read("TENANT", parsers.tenant, ""),
        image_requests=image_requests,
        image_rules=read_image_rules(reader),
        aws=read_aws(reader, environ, step, image_requests, token_secret),
        action=action,
        wait=reader.read("WAIT", parsers.yes_or_no, otherwise=True),
        wait_timeout=reader.read("WAIT_TIMEOUT", parsers.seconds(1, _LONGEST_WAIT), 900.0),
        stable_seconds=reader.read("STABLE_SECONDS", parsers.seconds(0, _LONGEST_WAIT), 5.0),
        rollback=reader.read("ROLLBACK", parsers.yes_or_no, otherwise=False),
        restart=reader.read("RESTART", parsers.yes_or_no, otherwise=False),
        dry_run=reader.read("DRY_RUN", parsers.yes_or_no, otherwise=False),
        debug=reader.read("DEBUG", parsers.yes_or_no, otherwise=False),
        report_dir=_report_dir(reader, environ, step),
        ca_cert=reader.read("CA_CERT", parsers.certificates(step.clone_dir), ""),
        proxies=Proxies(
            http=reader.read("HTTP_PROXY", parsers.proxy, ""),
            https=reader.read("HTTPS_PROXY", parsers.proxy, ""),
            exempt=reader.value("NO_PROXY"),
        ),
        step=step,
        tests=read_tests(reader, environ),
        notifications=read_notifications(reader, environ, step),
    )
    _cross_check(settings, reader)
    if reader.problems:
        raise ConfigError(_in_order(reader.problems))
    return settings


def debug_wanted(environ: Mapping[str, str]) -> bool:
    """Whether to log in detail, known before anything else is read and never a reason to fail."""
    return environ.get("DEBUG", "").strip().lower() == "true"


def secrets(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every secret value that the environment holds, whether or not the run will use it."""
    names = [variable.name for variable in VARIABLES if variable.secret]
    values = [environ.get(name, "").strip() for name in [*names, *AMBIENT_SECRETS]]
    proxies = [environ.get(name, "").strip() for name in ("HTTP_PROXY", "HTTPS_PROXY")]
    webhook = parsers.webhook_path(environ.get("SLACK_WEBHOOK", "").strip())
    found = [*values, *map(parsers.proxy_password, proxies), webhook]
    return tuple(Secret(value) for value in found if value and not parsers.LITERAL.fullmatch(value))


def _excused(action: Action, token_secret: str) -> frozenset[str]:
    if action is Action.TRUST_POLICY:
        return frozenset(BY_NAME)
    return frozenset({"DUPLO_TOKEN"}) if token_secret else frozenset()


def _report_dir(reader: Reader, environ: Mapping[str, str], step: Step) -> Path | None:
    given = reader.value("REPORT_DIR") or environ.get("BITBUCKET_PIPE_STORAGE_DIR", "").strip()
    return step.clone_dir / given if given else None


def _cross_check(settings: Settings, reader: Reader) -> None:
    if settings.stable_seconds >= settings.wait_timeout:
        reader.refuse(
            "STABLE_SECONDS",
            f"({settings.stable_seconds:g}) leaves no time within WAIT_TIMEOUT "
            f"({settings.wait_timeout:g})",
        )
    if settings.restart:
        _refuse_restarts(settings, reader)
    if settings.rollback and not settings.wait:
        reader.refuse(
            "ROLLBACK",
            "needs WAIT: a rollout that is not followed cannot be judged",
            "Remove WAIT: 'false', or remove ROLLBACK: 'true'",
        )
    if settings.tests.any_after and not settings.wait:
        name = "POST_DEPLOY_TEST" if settings.tests.after else "POST_DEPLOY_URL"
        reader.refuse(
            name,
            "needs WAIT: before the rollout is over it would test the version before",
            f"Remove WAIT: 'false', or remove {name}",
        )
    if settings.action is not Action.TRUST_POLICY:
        cross_check(reader, settings.aws, settings.image_rules, settings.token_secret)


def _refuse_restarts(settings: Settings, reader: Reader) -> None:
    """Report the targets whose kind cannot be restarted, one problem for each kind."""
    targets = dict.fromkeys(request.target for request in settings.image_requests)
    for kind in Kind:
        refused = [str(target) for target in targets if target.kind is kind]
        restart = kind.capabilities.can_restart
        if refused and not restart:
            reader.refuse(
                "RESTART",
                f"cannot be used with {', '.join(refused)}: {restart.reason}",
                "Remove RESTART: 'true'",
            )


def _step(environ: Mapping[str, str]) -> Step:
    def ambient(name: str) -> str:
        return environ.get(f"BITBUCKET_{name}", "").strip()

    return Step(
        workspace=ambient("WORKSPACE"),
        workspace_id=ambient("WORKSPACE_UUID") or ambient("REPO_OWNER_UUID"),
        repository=ambient("REPO_SLUG"),
        repository_id=ambient("REPO_UUID"),
        build_number=ambient("BUILD_NUMBER"),
        run_number=ambient("STEP_RUN_NUMBER"),
        commit=ambient("COMMIT"),
        branch=ambient("BRANCH"),
        tag=ambient("TAG"),
        deployment=ambient("DEPLOYMENT_ENVIRONMENT"),
        deployment_id=ambient("DEPLOYMENT_ENVIRONMENT_UUID"),
        pipeline=ambient("PIPELINE_UUID"),
        step=ambient("STEP_UUID"),
        clone_dir=Path(ambient("CLONE_DIR") or Path.cwd()),
    )


def _in_order(problems: list[Problem]) -> list[Problem]:
    order = list(BY_NAME)
    return sorted(problems, key=lambda problem: order.index(problem.variable))
