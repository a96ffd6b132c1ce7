"""What a run does, and what it states, when something unexpected happens after the change."""

from typing import Any

import pytest

from pipe.deploy_tests.model import Command, CommandResult, WriteLine
from pipe.errors import ConfigError, Problem
from tests.sandbox import ApiFault, Behaviour, World
from tests.support.harness import Harness

BAD = "team/web:bad"


class DockerGone:
    """A runner whose Docker service disappears before the test after the change."""

    def check_ready(self, command: Command) -> None:
        """Find the service still there."""

    def run(self, command: Command, write_line: WriteLine) -> CommandResult:
        """Find the service gone."""
        del write_line
        raise ConfigError([Problem(command.setting, "needs a Docker service", "Add one")])


@pytest.mark.parametrize(
    ("rollback", "code", "image"), [("true", 8, "team/web:1.4.1"), ("false", 10, "team/web:1.4.2")]
)
def test_a_test_image_that_cannot_run_after_the_change_is_a_failed_test(
    harness: Harness, rollback: str, code: int, image: str
) -> None:
    """Exit 8 or 10, never 2, which states that nothing was changed."""
    web = harness.web()
    harness.dependencies["runner"] = DockerGone()
    run_result = harness.deploy(
        POST_DEPLOY_TEST="./smoke.sh", POST_DEPLOY_TEST_IMAGE="curl:8", ROLLBACK=rollback
    )
    assert (run_result.code, web.image) == (code, image)
    assert "POST_DEPLOY_TEST could not be started" in run_result.stdout
    assert "othing was changed" not in run_result.stdout
    assert "What to do: The test did not run. " in run_result.log
    assert "output is above" not in run_result.log


def test_silent_log_routes_do_not_delay_the_rollback(harness: Harness) -> None:
    """All evidence together takes 15 seconds, however many logs do not respond."""
    names = [f"web{number}" for number in range(5)]
    for name in names:
        harness.world.add_service(name, "team/web:1.4.1", replicas=1)
    harness.world.behave(BAD, Behaviour("crash"))
    harness.world.script(ApiFault("POST", "findContainerLogs", kind="silence", times=1000))
    writes: list[float] = []
    harness.world.listeners.append(
        lambda record: writes.append(harness.clock.elapsed) if record.method == "PUT" else None
    )
    options = {"ROLLBACK": "true", "WAIT_TIMEOUT": "60", "CRASH_LIMIT": "1"}
    run_result = harness.deploy(BAD, SERVICE=",".join(names), **options)
    assert run_result.code == 8
    assert harness.requests("findContainerLogs")
    # Started after 2 s, the third end comes 16 s later.
    assert writes[5] - writes[4] < 15 + 2 + 16 + 2


def test_a_silent_list_of_pods_does_not_delay_the_rollback(harness: Harness) -> None:
    """The write does without it; whether the previous version runs cannot be verified."""
    web = harness.web()
    failed: list[float] = []
    writes: list[float] = []

    def go_silent(world: World) -> None:
        failed.append(harness.clock.elapsed)
        world.script(ApiFault("GET", "GetPods", kind="silence", times=1000))

    harness.world.behave(BAD, Behaviour("crash", log=["boom"]))
    harness.world.intrude(go_silent, when=("POST", "findContainerLogs", 1))
    harness.world.listeners.append(
        lambda record: writes.append(harness.clock.elapsed) if record.method == "PUT" else None
    )
    run_result = harness.deploy(BAD, ROLLBACK="true", WAIT_TIMEOUT="60")
    assert (run_result.code, web.image) == (9, "team/web:1.4.1")
    assert writes[1] - failed[0] < 30.0


def test_a_stop_after_the_rollback_was_sent_names_its_image(harness: Harness) -> None:
    """Exit 11; the target is set to the previous image by then."""
    web = harness.web()
    harness.world.behave(BAD, Behaviour("crash"))
    sleep = harness.clock.sleep

    def interrupt_rollback(seconds: float) -> None:
        sleep(seconds)
        if len(harness.world.writes()) == 2:
            raise KeyboardInterrupt

    harness.clock.sleep = interrupt_rollback  # type: ignore[method-assign]
    run_result = harness.deploy(BAD, ROLLBACK="true")
    assert (run_result.code, web.image) == (11, "team/web:1.4.1")
    assert "Now: web is being rolled back to team/web:1.4.1" in run_result.stdout


def test_a_token_refused_for_the_second_target_does_not_deny_the_first_change(
    harness: Harness,
) -> None:
    """Exit 10 instead of 3, which states that nothing was changed."""
    web: Any = harness.web()
    harness.world.add_service("api", "team/web:1.4.1")
    harness.world.script(ApiFault("PUT", "api/containerimage", status=401, times=99))
    run_result = harness.deploy(SERVICE="web,api")
    assert (run_result.code, web.image) == (10, "team/web:1.4.2")
    assert "The deploy stopped after the change" in run_result.stdout
    assert "Now: web was set to team/web:1.4.2" in run_result.stdout


def test_the_rollback_is_sent_although_pods_cannot_be_read(harness: Harness) -> None:
    """Exit 9, because it cannot be verified; the portal is set to the previous image."""
    web = harness.web()
    harness.world.intrude(
        lambda world: world.script(ApiFault("GET", "GetPods", status=500, times=10_000)),
        when=("PUT", "containerimage", 1),
    )
    run_result = harness.deploy(ROLLBACK="true", WAIT_TIMEOUT="60")
    assert (run_result.code, web.image) == (9, "team/web:1.4.1")
    assert "Now: web was last set to team/web:1.4.1 (not verified)" in run_result.stdout


@pytest.mark.parametrize(("rollback", "code"), [("true", 8), ("false", 4)])
def test_a_refusal_of_a_change_that_the_portal_made_does_not_deny_it(
    harness: Harness, rollback: str, code: int
) -> None:
    """A gateway may refuse to deliver the reply to a request that it let through."""
    web = harness.web()
    harness.world.script(ApiFault("PUT", status=403, body="blocked", acts=True))
    run_result = harness.deploy(ROLLBACK=rollback)
    assert run_result.code == code
    assert web.image == ("team/web:1.4.1" if code == 8 else "team/web:1.4.2")
    assert "othing was changed" not in run_result.stdout


def test_a_refusal_that_changed_nothing_is_no_failed_rollout(harness: Harness) -> None:
    """Nothing is rolled back after a clear no."""
    harness.web()
    harness.world.script(ApiFault("PUT", status=403, body="blocked"))
    run_result = harness.deploy(ROLLBACK="true")
    assert run_result.code == 4
    assert "Nothing was changed." in run_result.stdout


@pytest.mark.parametrize(("image", "code"), [("team/web:1.4.2", 0), (BAD, 10)])
def test_a_last_line_that_cannot_be_written_does_not_change_the_exit_code(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, image: str, code: int
) -> None:
    """Standard output may be closed by then, and the change is made."""

    def closed(*_: object, **_options: object) -> None:
        raise BrokenPipeError

    harness.web()
    harness.world.behave(BAD, Behaviour("crash"))
    monkeypatch.setattr("pipe.output.show_result", closed)
    assert harness.deploy(image).code == code


def test_evidence_that_cannot_be_gathered_does_not_undo_a_good_rollout(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect there is a warning at most."""

    def broken(*_: object) -> None:
        raise RuntimeError

    harness.web()
    monkeypatch.setattr("pipe.deploy.evidence.Deadline", broken)
    assert harness.deploy(ROLLBACK="true").code == 0
