"""The variables of commands that run inside the tenant."""

from __future__ import annotations

import pytest

from pipe.errors import ConfigError, Problem
from pipe.settings import Place, Settings, load
from pipe.settings.tenant_commands import in_shell, shown

GOOD = {
    "DUPLO_HOST": "https://example.nholuongut.net/",
    "DUPLO_TOKEN": "a-token",
    "TENANT": "sometenant",
    "SERVICE": "web",
    "IMAGE": "myimage:1.0",
}
ONE_OFF = {"ACTION": "run", "IMAGE": ""}
SEVERAL = {"SERVICE": "", "IMAGE": "", "SERVICES": "lambda:resize=resize:7 web=web:1 api=api:2"}


def settings(**changes: str) -> Settings:
    """Return the settings of a valid environment with some changes."""
    return load({**GOOD, **changes})


def problems(**changes: str) -> tuple[Problem, ...]:
    """Return the problems that these changes cause."""
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    assert all(problem.fix for problem in caught.value.problems)
    return caught.value.problems


def problem(**changes: str) -> Problem:
    """Return the only problem that these changes cause."""
    (only,) = problems(**changes)
    return only


def test_nothing_runs_in_the_tenant_unless_it_is_configured() -> None:
    """A deploy needs no right to jobs."""
    found = settings().tenant_commands
    assert (found.release, found.command, found.target) == ((), (), None)


def test_a_text_is_run_by_the_images_shell() -> None:
    """A dollar sign is the shell's."""
    found = settings(RELEASE_COMMAND="./migrate && echo $DATABASE_URL").tenant_commands
    assert found.release == ("sh", "-c", "./migrate && echo $DATABASE_URL")
    assert (str(found.target), found.seconds) == ("web", 600.0)


def test_a_list_is_run_without_a_shell() -> None:
    """One entry an argument, blank and empty ones included."""
    entries = {"RELEASE_COMMAND_0": "/app", "RELEASE_COMMAND_1": " a b ", "RELEASE_COMMAND_2": ""}
    found = settings(RELEASE_COMMAND_COUNT="3", **entries)
    assert found.tenant_commands.release == ("/app", " a b ", "")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (("/app", "$VERSION"), "no shell replaces it in a list"),
        (("", "/app"), "empty first entry"),
        (("/app", "x" * (128 * 1024 + 1)), "more than 128 KiB"),
    ],
)
def test_a_list_that_cannot_be_run_is_refused(entries: tuple[str, ...], words: str) -> None:
    """Before any request."""
    numbered = {f"RELEASE_COMMAND_{number}": entry for number, entry in enumerate(entries)}
    found = problem(RELEASE_COMMAND_COUNT=str(len(entries)), **numbered)
    assert found.variable == "RELEASE_COMMAND"
    assert words in found.what


@pytest.mark.parametrize("command", [in_shell("a 'b'; c"), ("/app", "a b", "")])
def test_a_command_is_shown_as_it_is_written(command: tuple[str, ...]) -> None:
    """Texts unchanged, arguments so that their limits can be seen."""
    assert shown(command) == ("a 'b'; c" if command[0] == "sh" else "/app 'a b' ''")


def test_the_default_target_is_the_first_that_can_run_commands() -> None:
    """A function among the targets is passed over."""
    assert str(settings(**SEVERAL, RELEASE_COMMAND="x").tenant_commands.target) == "web"


@pytest.mark.parametrize(
    ("named", "words", "fix"),
    [
        ("db", "names db, but the targets are lambda:resize, web, api", "RELEASE_TARGET: 'web'"),
        ("lambda:resize", "cannot be used with lambda:resize: AWS", "RELEASE_TARGET: 'web'"),
        ("ecs:web", "names ecs:web, but the targets are", "RELEASE_TARGET: 'web'"),
        ("vm:web", "must be one of service, ecs, lambda, cronjob", "RELEASE_TARGET"),
    ],
)
def test_a_target_that_cannot_run_it_is_refused(named: str, words: str, fix: str) -> None:
    """It must be among the targets of the step, and of a kind that runs commands."""
    found = problem(**SEVERAL, RELEASE_COMMAND="x", RELEASE_TARGET=named)
    assert found.variable == "RELEASE_TARGET"
    assert words in found.what
    assert fix in found.fix


@pytest.mark.parametrize(
    ("given", "variable", "fix"),
    [
        ({"RELEASE_COMMAND": "x"}, "RELEASE_COMMAND", "in the step, with PRE_DEPLOY_TEST"),
        ({**ONE_OFF, "COMMAND": "x"}, "ACTION", "Name a service of the tenant"),
        (
            {"POST_DEPLOY_TEST": "x", "POST_DEPLOY_TEST_IN": "tenant"},
            "POST_DEPLOY_TEST_IN",
            "Remove POST_DEPLOY_TEST_IN",
        ),
    ],
)
def test_functions_alone_are_refused_with_the_alternative(
    given: dict[str, str], variable: str, fix: str
) -> None:
    """The reason is that of the kind."""
    found = problem(KIND="lambda", **given)
    assert found.variable == variable
    assert "AWS starts a function only by its own handler" in found.what
    assert fix in found.fix


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"RELEASE_TARGET": "web"}, "RELEASE_TARGET"),
        ({"RELEASE_TIMEOUT": "30"}, "RELEASE_TIMEOUT"),
        ({"COMMAND": "ls"}, "COMMAND"),
        ({"PRE_DEPLOY_TEST_IN": "tenant"}, "PRE_DEPLOY_TEST_IN"),
        ({"POST_DEPLOY_TEST_IN": "tenant"}, "POST_DEPLOY_TEST_IN"),
    ],
)
def test_a_variable_without_effect_is_refused(given: dict[str, str], name: str) -> None:
    """It names what is missing."""
    found = problem(**given)
    assert found.variable == name
    assert "has no effect" in found.what


def test_a_test_in_the_tenant_has_a_target_as_well() -> None:
    """RELEASE_TARGET is for tests too."""
    found = settings(
        SERVICE="web api",
        POST_DEPLOY_TEST="x",
        POST_DEPLOY_TEST_IN="tenant",
        RELEASE_TARGET="api",
    )
    assert str(found.tenant_commands.target) == "api"
    assert (found.tests.before_in, found.tests.after_in) == (Place.STEP, Place.TENANT)
    assert not found.tests.any_in_step


def test_a_test_runs_in_the_step_or_in_the_tenant() -> None:
    """There is no third place."""
    found = problem(PRE_DEPLOY_TEST="x", PRE_DEPLOY_TEST_IN="cluster")
    assert 'must be one of step, tenant, not "cluster"' in found.what


def test_no_docker_service_pulls_the_image_of_a_test_in_the_tenant() -> None:
    """The step needs no login to its registry."""
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tests:1"
    given = {"POST_DEPLOY_TEST": "x", "POST_DEPLOY_TEST_IMAGE": image}
    assert settings(**given).uses_ecr
    assert not settings(**given, POST_DEPLOY_TEST_IN="tenant").uses_ecr


def test_a_one_off_command_needs_no_image() -> None:
    """It runs in the one that the target runs."""
    found = settings(**ONE_OFF, COMMAND="ls", SERVICE="web api", RELEASE_TARGET="api")
    assert found.tenant_commands.command == ("sh", "-c", "ls")
    assert str(found.tenant_commands.target) == "api"


def test_only_a_cronjob_has_a_command_of_its_own() -> None:
    """Any other target needs COMMAND, and the line to write is shown."""
    assert not settings(**ONE_OFF, KIND="cronjob").tenant_commands.command
    found = problem(**ONE_OFF)
    assert found.variable == "COMMAND"
    assert "is missing" in found.what
    assert "COMMAND: '" in found.fix


def test_what_would_change_something_cannot_be_combined_with_a_one_off_command() -> None:
    """All of it in one problem."""
    found = problem(
        **ONE_OFF, COMMAND="ls", ENV_COUNT="1", ENV_0="A=b", REPLICAS="0", RESTART="true",
        RELEASE_COMMAND="x", WAIT="true", ROLLBACK="true",
    )  # fmt: skip
    assert found.variable == "ACTION"
    assert "so ENV, REPLICAS, RESTART, RELEASE_COMMAND would have no effect" in found.what


def test_a_rollback_runs_no_release_command() -> None:
    """An earlier image knows nothing of newer data."""
    found = problem(ACTION="rollback", IMAGE="", RELEASE_COMMAND="x")
    assert found.variable == "RELEASE_COMMAND"
    assert "what an earlier image would do to newer data is unknown" in found.what


def test_every_problem_is_reported_at_once() -> None:
    """In the order of the table, and each only once."""
    found = problems(
        KIND="vm", RELEASE_COMMAND_COUNT="x", RELEASE_TIMEOUT="10m", PRE_DEPLOY_TEST_IN="tenant"
    )
    names = ["KIND", "RELEASE_COMMAND", "RELEASE_TIMEOUT", "PRE_DEPLOY_TEST_IN"]
    assert list(dict.fromkeys(one.variable for one in found)) == names
    assert len(set(found)) == len(found)
