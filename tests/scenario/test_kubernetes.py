"""Services followed by what Kubernetes itself reports, and by the portal where that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.support.harness import Harness, RunResult

PORTAL = "followed by what the portal shows"


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """Return a tenant whose portal issues access to Kubernetes."""
    return Harness(tmp_path, kubernetes=True)


def asked(harness: Harness, word: str = "/api") -> list[str]:
    """Return the requests to the API server, with their methods."""
    records = [one for one in harness.world.log if one.path.startswith(("/api/", "/apis/"))]
    return [f"{one.method} {one.path}" for one in records if word in one.path]


def target(result: RunResult) -> Any:
    """Return the record of the only target."""
    (only,) = result.report["targets"]
    return only


def test_a_rollout_is_over_once_kubernetes_calls_it_available(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour(ready_after=20.0))
    result = harness.deploy()
    assert result.code == 0
    assert "2 pods available for 5 s, as Kubernetes reports" in result.stdout
    assert target(result)["seen_by"] == "Kubernetes"
    ready = [one["ready"] for one in target(result)["timeline"]]
    assert ready[0] == 0
    assert ready[-1] == 2


def test_a_pod_that_is_never_ready_fails_with_what_its_probe_answers(harness: Harness) -> None:
    """The portal shows the pod as running."""
    harness.web(replicas=1)
    harness.world.behave("team/web:1.4.2", Behaviour("never-ready"))
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert result.code == 10
    assert "0 of 1 new pods ready, 1 not ready" in result.stdout
    assert "is not ready: Readiness probe failed" in result.stdout
    (evidence,) = result.report["evidence"]
    assert any("Unhealthy" in fault for fault in evidence["faults"])
    assert any(event["reason"] == "Unhealthy" for event in target(result)["events"])


def test_a_crash_is_explained_by_the_last_words_of_the_container(harness: Harness) -> None:
    harness.web()
    log = ["reading configuration", "fatal: DATABASE_URL is not set"]
    harness.world.behave("team/web:1.4.2", Behaviour("crash", log=log, exit_code=3))
    result = harness.deploy()
    assert result.code == 10
    assert "keeps crashing (exit code 3, ended 3 times)" in result.stdout
    (evidence,) = result.report["evidence"]
    assert evidence["log"] == log
    assert evidence["log_of"].startswith("container web")
    assert any("exit code 3" in one for one in evidence["containers"])
    assert "| fatal: DATABASE_URL is not set" in result.log


def test_out_of_memory_is_not_taken_for_an_ordinary_kill(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("oom"))
    assert "(exit code 137, OOMKilled, ended 3 times)" in harness.deploy().stdout


def test_a_kill_names_its_signal(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash", exit_code=137))
    assert "(exit code 137, SIGKILL, ended 3 times)" in harness.deploy().stdout


def test_a_rollback_is_followed_by_kubernetes_as_well(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash"))
    result = harness.deploy(ROLLBACK="true")
    assert result.code == 8
    assert "as Kubernetes reports" in result.stdout
    assert len(asked(harness, "selfsubjectaccessreviews")) <= 6


def test_a_restart_is_known_by_the_generation(harness: Harness) -> None:
    harness.web(image="team/web:1.4.2")
    harness.world.kubernetes.lag = 3.0
    result = harness.deploy(RESTART="true")
    assert result.code == 0
    assert result.seconds >= 3.0 + 5.0
    assert "as Kubernetes reports" in result.stdout


def test_requests_do_not_grow_with_the_number_of_services(harness: Harness) -> None:
    names = [f"web-{number}" for number in range(12)]
    for name in names:
        harness.world.add_service(name, "team/web:1.4.1", replicas=2)
    result = harness.deploy(SERVICE=",".join(names))
    assert result.code == 0
    looks = len(target_of(result, "web-0")["timeline"])
    # Beside the looks: the first sight of the workloads, and what there was before the change.
    assert len(asked(harness, "/deployments")) == looks + 2
    assert len(asked(harness, "/pods")) <= looks + 1


def target_of(result: RunResult, name: str) -> Any:
    """Return the record of one target."""
    return next(one for one in result.report["targets"] if one["name"] == name)


@pytest.mark.parametrize("mode", ["false", "auto"])
def test_without_access_nothing_is_requested_that_was_not_before(tmp_path: Path, mode: str) -> None:
    """With `false` not even the access."""
    harness = Harness(tmp_path, kubernetes=mode == "false")
    harness.web()
    result = harness.deploy(KUBERNETES=mode)
    assert result.code == 0
    assert "2 pods up for 5 s" in result.stdout
    assert not asked(harness)
    routes = [*harness.requests("jitAccess"), *harness.requests("GetK8Cluster")]
    assert len(routes) == (0 if mode == "false" else 2)
    assert result.log.count(PORTAL) == (0 if mode == "false" else 1)


def test_access_is_not_requested_for_what_is_not_followed(harness: Harness) -> None:
    harness.web()
    assert harness.deploy(WAIT="false").code == 0
    harness.clock.advance(60.0)
    assert "Nothing to change" in harness.deploy().stdout
    harness.world.add_service("old", "team/web:1.4.1", platform=0)
    assert harness.deploy(SERVICE="old").code == 0
    assert not harness.requests("jitAccess")


def test_the_older_route_serves_where_the_newer_is_missing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, "old", kubernetes=True)
    harness.web()
    assert "as Kubernetes reports" in harness.deploy().stdout


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "forbidden": ({"status": 403, "text": "not for you"}, '(status 403): "not for you"'),
    "permission set": ({"status": 400, "text": "Default deny"}, "(status 400)"),
    "no token": ({"changes": {"Token": ""}}, "expected a valid Token"),
    "plain http": ({"server": "http://kubernetes.example"}, "an https address as ApiServer"),
    "bad authority": (
        {"changes": {"CertificateAuthorityDataBase64": "bm90IGEgY2VydGlmaWNhdGU="}},
        "a certificate as CertificateAuthorityDataBase64",
    ),
    "no rights": ({"rights": frozenset()}, "lacks the rights to list pods and list deployments"),
    "expired token": ({"lifetime": -10.0}, "refuses the token that the portal issued"),
    "unknown host": ({"server": "https://elsewhere.example"}, "elsewhere.example"),
}


@pytest.mark.parametrize(("knobs", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_one_line_of_the_log(
    harness: Harness, knobs: dict[str, Any], reason: str
) -> None:
    harness.web()
    for name, value in knobs.items():
        setattr(harness.world.kubernetes, name, value)
    result = harness.deploy()
    assert result.code == 0
    assert result.log.count(PORTAL) == 1
    (line,) = [line for line in result.log.splitlines() if PORTAL in line]
    assert reason in line
    assert "2 pods up for 5 s" in result.stdout
    assert target(result)["seen_by"] == "the portal"


@pytest.mark.parametrize(("knobs", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_ends_the_run_before_any_change_where_kubernetes_is_required(
    harness: Harness, knobs: dict[str, Any], reason: str
) -> None:
    harness.web()
    for name, value in knobs.items():
        setattr(harness.world.kubernetes, name, value)
    result = harness.deploy(KUBERNETES="true", PRE_DEPLOY_TEST="exit 1")
    assert result.code == 4
    assert "Kubernetes cannot be used, as KUBERNETES: 'true' requires" in result.stdout
    assert reason in result.stdout
    assert "Nothing was changed" in result.stdout
    assert "What to do" in result.log
    assert harness.world.service("web").image == "team/web:1.4.1"


def test_a_token_that_expires_meanwhile_leaves_the_portal(harness: Harness) -> None:
    harness.web()
    harness.world.kubernetes.lifetime = 8.0
    harness.world.behave("team/web:1.4.2", Behaviour(ready_after=20.0))
    result = harness.deploy()
    assert result.code == 0
    assert result.log.count("Kubernetes cannot be asked any more") == 1
    assert target(result)["seen_by"] == "the portal"


def test_without_the_rights_to_explain_a_rollout_is_followed_all_the_same(
    harness: Harness,
) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash", log=["fatal: no disk"]))
    rights = harness.world.kubernetes.rights
    harness.world.kubernetes.rights = rights - {"list events", "get pods/log"}
    result = harness.deploy()
    assert result.code == 10
    assert "Without the rights to get pods/log and list events in Kubernetes" in result.log
    assert "| fatal: no disk" in result.log


def test_another_deployment_shows_in_the_template(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour(ready_after=30.0))
    theirs = {"duplo-main-container": "team/web:9"}
    harness.world.intrude(
        lambda world: world.service("web").set_images(theirs, "another-user"), after=8.0
    )
    result = harness.deploy()
    assert result.code == 7
    assert "it is now set to team/web:9" in result.stdout


def test_the_token_of_the_cluster_is_nowhere(harness: Harness) -> None:
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash"))
    result = harness.deploy(DEBUG="true")
    (token,) = harness.world.kubernetes.issued
    assert token not in result.text
    for path in harness.folder.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()
