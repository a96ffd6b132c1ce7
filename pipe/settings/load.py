"""Build `Settings` from the environment; report every problem in one error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipe.errors import ConfigError, Problem
from pipe.kind import Kind
from pipe.secret import Secret
from pipe.settings import addresses, parsers
from pipe.settings.aws import cross_check, read_aws, read_image_rules, secret_name
from pipe.settings.configuration import read_configurations
from pipe.settings.deploy_tests import read_notifications, read_tests
from pipe.settings.model import Action, KubernetesView, Proxies, Settings, Step
from pipe.settings.reader import Reader
from pipe.settings.targets import read_image_requests
from pipe.settings.tenant_commands import read_tenant_commands
from pipe.settings.variables import AMBIENT_SECRETS, BY_NAME, VARIABLES

_LONGEST_WAIT = 24 * 3600
_MOST_CRASHES = 1000


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise `ConfigError` with every problem found."""
    reader = Reader(environ)
    step = _step(environ)
    action = reader.read("ACTION", parsers.choice(Action), Action.DEPLOY)
    token_secret = reader.read("DUPLO_TOKEN_SECRET", secret_name, "")
    reader.optional = _optional(action, token_secret)
    image_requests = read_image_requests(reader, environ, action)
    tests = read_tests(reader, environ)
    settings = Settings(
        host=reader.read("DUPLO_HOST", addresses.portal, ""),
        token=reader.read("DUPLO_TOKEN", parsers.token, Secret("")),
        token_secret=token_secret,
        tenant=reader.read("TENANT", parsers.name, ""),
        image_requests=image_requests,
        image_rules=read_image_rules(reader),
        aws=read_aws(reader, environ, step, image_requests, token_secret),
        action=action,
        wait=reader.read("WAIT", parsers.boolean, otherwise=True),
        wait_timeout=reader.read("WAIT_TIMEOUT", parsers.seconds(1, _LONGEST_WAIT), 900.0),
        stable_seconds=reader.read("STABLE_SECONDS", parsers.seconds(0, _LONGEST_WAIT), 5.0),
        crash_limit=reader.read("CRASH_LIMIT", parsers.limit(_MOST_CRASHES), 3),
        kubernetes=reader.read("KUBERNETES", _kubernetes, KubernetesView.AUTO),
        rollback=reader.read("ROLLBACK", parsers.boolean, otherwise=False),
        restart=reader.read("RESTART", parsers.boolean, otherwise=False),
        dry_run=reader.read("DRY_RUN", parsers.boolean, otherwise=False),
        debug=reader.read("DEBUG", parsers.boolean, otherwise=False),
        report_dir=_report_dir(reader, environ, step),
        ca_cert=reader.read("CA_CERT", parsers.certificates(step.clone_dir), ""),
        proxies=_proxies(reader),
        step=step,
        tests=tests,
        notifications=read_notifications(reader, environ, step),
        configurations=read_configurations(reader, environ, image_requests, step.clone_dir),
        tenant_commands=read_tenant_commands(reader, environ, action, image_requests, tests),
    )
    _cross_check(settings, reader)
    if reader.problems:
        raise ConfigError(_in_table_order(reader.problems))
    return settings


def _kubernetes(value: str) -> KubernetesView:
    return parsers.choice(KubernetesView)(value.lower())


def debug_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether DEBUG is true; never fails, because logging is set up before loading."""
    return environ.get("DEBUG", "").strip().lower() == "true"


def secrets(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """Return every secret value in the environment, used by this run or not."""
    names = [variable.name for variable in VARIABLES if variable.secret]
    values = [environ.get(name, "").strip() for name in [*names, *AMBIENT_SECRETS]]
    found = [*values]
    for name in ("SLACK_WEBHOOK", "WEBHOOK"):
        found += addresses.webhook_secrets(environ.get(name, "").strip())
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        found += addresses.proxy_secrets(environ.get(name, "").strip())
    is_name = parsers.SECRET_LITERAL.fullmatch
    return tuple(Secret(value) for value in found if value and not is_name(value))


def _optional(action: Action, token_secret: str) -> frozenset[str]:
    if action is Action.TRUST_POLICY:
        return frozenset(BY_NAME)
    return frozenset({"DUPLO_TOKEN"}) if token_secret else frozenset()


def _report_dir(reader: Reader, environ: Mapping[str, str], step: Step) -> Path | None:
    folder = reader.value("REPORT_DIR") or environ.get("BITBUCKET_PIPE_STORAGE_DIR", "").strip()
    return step.clone_dir / folder if folder else None


def _proxies(reader: Reader) -> Proxies:
    return Proxies(
        http=reader.read("HTTP_PROXY", addresses.proxy, ""),
        https=reader.read("HTTPS_PROXY", addresses.proxy, ""),
        exempt=reader.value("NO_PROXY"),
    )


def _cross_check(settings: Settings, reader: Reader) -> None:
    """Report settings that contradict each other."""
    if settings.stable_seconds >= settings.wait_timeout:
        reader.refuse(
            "STABLE_SECONDS",
            f"({settings.stable_seconds:g}) must be less than WAIT_TIMEOUT "
            f"({settings.wait_timeout:g})",
        )
    if settings.restart:
        _refuse_restarts(settings, reader)
    if settings.configurations and settings.action is Action.ROLLBACK:
        reader.refuse(
            "ACTION",
            "'rollback' restores images only: ENV, ENV_REMOVE and REPLICAS would set more",
            "Remove them from the step that rolls back",
        )
    if settings.rollback and not settings.wait:
        reader.refuse(
            "ROLLBACK",
            "needs WAIT: a rollout that is not followed cannot be seen to fail",
            "Remove WAIT: 'false', or remove ROLLBACK: 'true'",
        )
    if settings.tests.any_after and not settings.wait:
        name = "POST_DEPLOY_TEST" if settings.tests.after else "POST_DEPLOY_URL"
        reader.refuse(
            name,
            "needs WAIT: until the rollout is complete it would test the previous version",
            f"Remove WAIT: 'false', or remove {name}",
        )
    if settings.action is not Action.TRUST_POLICY:
        _refuse_several_registries(settings, reader)
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


def _refuse_several_registries(settings: Settings, reader: Reader) -> None:
    """Report a login that would be sent to more than the one registry it is for."""
    hosts = sorted(settings.password_hosts)
    if settings.image_rules.registry_username and len(hosts) > 1:
        reader.refuse(
            "REGISTRY_USERNAME",
            f"is a login for one registry, but the images are in {len(hosts)}: {', '.join(hosts)}",
            "Deploy the images of each registry in a step of its own, with the login only where "
            "its registry needs one",
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


def _in_table_order(problems: list[Problem]) -> list[Problem]:
    """Sort problems by the table of variables; those of other variables come last."""
    order = {name: position for position, name in enumerate(BY_NAME)}
    return sorted(problems, key=lambda problem: order.get(problem.variable, len(order)))
