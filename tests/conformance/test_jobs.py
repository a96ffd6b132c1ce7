"""Jobs in the sandbox: the routes, what the portal shows and hides, and when commands run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conformance.conftest import Client, connect
from tests.conformance.models import ConformanceError, check_exchange, check_log
from tests.sandbox import Behaviour, Command, World
from tests.sandbox.behaviour import FATES, Fate
from tests.sandbox.commands import KEEPS_FROM_STARTING
from tests.sandbox.jobs import Deletion
from tests.support.fake_clock import FakeClock

IMAGE = "team/web:2"
Create = Callable[..., requests.Response]


def job(name: str = "web-release-7", text: str = "migrate", **spec: Any) -> dict[str, Any]:
    """Return the smallest job that runs a shell command."""
    pod = {
        "containers": [{"name": "web", "image": IMAGE, "command": ["sh", "-c", text]}],
        "restartPolicy": "Never",
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}, **spec}
    return {"metadata": {"name": name}, "spec": spec}


def path(client: Client, name: str = "") -> str:
    return f"v3/subscriptions/{client.tid}/k8s/job{f'/{name}' if name else ''}"


@pytest.fixture
def create(client: Client) -> Create:
    def create(body: dict[str, Any] | None = None, **changes: Any) -> requests.Response:
        return client.ask("POST", path(client), json=body or job(**changes))

    return create


def read(client: Client, name: str = "web-release-7") -> Any:
    return client.ask("GET", path(client, name)).json()


def pods(client: Client) -> list[dict[str, Any]]:
    return [
        pod
        for pod in client.v2("GetPods").json()
        if pod["ControlledBy"]["QualifiedType"] == "kubernetes:batch/v1/Job"
    ]


def log(client: Client, pod: dict[str, Any], tail: int = 50) -> Any:
    container = pod["Containers"][0]
    body = {"HostName": pod["Host"], "DockerId": container["DockerId"], "Tail": tail}
    return client.v2("findContainerLogs", body).json()


def condition(client: Client, name: str = "web-release-7") -> tuple[str, str | None]:
    (only,) = read(client, name)["status"]["conditions"]
    return only["type"], only.get("reason")


def test_a_job_runs_writes_its_lines_and_completes(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(seconds=5, lines=[(0, "one"), (3, "two")]))
    assert create().json()["metadata"]["name"] == "web-release-7"
    clock.advance(3)
    (pod,) = pods(client)
    assert (pod["Name"], pod["CurrentStatus"]) == ("web-release-7", 1)
    assert log(client, pod)["Data"] == "one\n"
    assert read(client)["status"]["active"] == 1
    clock.advance(3)
    assert log(client, pod)["Data"] == "one\ntwo\n"
    assert log(client, pod, tail=1)["Data"] == "two\n"
    clock.advance(3)
    assert condition(client) == ("Complete", None)
    assert read(client)["status"]["succeeded"] == 1
    assert world.jobs.runs("migrate") == 1
    check_log(world.log)


def test_a_pod_that_completed_is_no_longer_listed(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    """Nor is its log to be had; some portals list it all the same."""
    create()
    clock.advance(3)
    (pod,) = pods(client)
    clock.advance(10)
    assert pods(client) == []
    refused = client.v2("findContainerLogs", {"DockerId": pod["Containers"][0]["DockerId"]})
    assert refused.status_code == 400
    world.jobs.lists_completed = True
    assert [pod["CurrentStatus"] for pod in pods(client)] == [11]


def test_a_command_that_fails_fails_the_job(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    """Its pod stays listed with the exit code, unless the portal drops it too."""
    world.command("migrate", Command(exit_code=3, lines=[(0, "no such table")]))
    create()
    clock.advance(5)
    assert condition(client) == ("Failed", "BackoffLimitExceeded")
    (pod,) = pods(client)
    ended = pod["Containers"][0]["LastContainerState"]["terminated"]
    assert (pod["CurrentStatus"], ended["exitCode"]) == (7, 3)
    assert log(client, pod)["Data"] == "no such table\n"
    world.jobs.drops_failed = True
    assert pods(client) == []


def test_a_command_out_of_memory_is_killed(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(out_of_memory=True))
    create()
    clock.advance(5)
    (pod,) = pods(client)
    ended = pod["Containers"][0]["LastContainerState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert log(client, pod)["Data"] == "Killed\n"


@pytest.mark.parametrize("by_image", [True, False])
@pytest.mark.parametrize(
    ("fate", "status"),
    [
        ("pull-error", 9),
        ("no-registry", 9),
        ("invalid-name", 9),
        ("config-error", 4),
        ("missing-volume", 3),
        ("unschedulable", 8),
        ("bad-command", 7),
    ],
)
def test_a_pod_that_cannot_start_runs_nothing(
    *,
    client: Client,
    clock: FakeClock,
    world: World,
    create: Create,
    fate: Fate,
    status: int,
    by_image: bool,
) -> None:
    if by_image:
        world.behave(IMAGE, Behaviour(fate))
    else:
        world.command("migrate", Command(fate=fate))
    create()
    clock.advance(20)
    assert [pod["CurrentStatus"] for pod in pods(client)] == [status]
    assert world.jobs.runs("migrate") == 0
    assert ("conditions" in read(client)["status"]) == (fate == "bad-command")


@pytest.mark.parametrize("fate", [fate for fate in FATES if fate not in KEEPS_FROM_STARTING])
def test_the_fate_of_an_images_server_is_not_that_of_its_commands(
    client: Client, clock: FakeClock, world: World, create: Create, fate: Fate
) -> None:
    world.behave(IMAGE, Behaviour(fate))
    create()
    clock.advance(5)
    assert condition(client) == ("Complete", None)


def test_a_start_may_be_late(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(fate="unschedulable", passes_after=30.0))
    create()
    clock.advance(29)
    assert world.jobs.runs("migrate") == 0
    clock.advance(5)
    assert condition(client) == ("Complete", None)


def test_failed_pods_are_replaced_up_to_the_limit(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(exit_code=1, failures=2))
    create(backoffLimit=2)
    clock.advance(60)
    assert condition(client) == ("Complete", None)
    assert world.jobs.runs("migrate") == 3


def test_the_kubelet_restarts_a_container_on_failure(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(exit_code=1, failures=1))
    body = job(backoffLimit=2)
    body["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    create(body)
    clock.advance(5)
    (pod,) = pods(client)
    assert pod["Containers"][0]["RestartCount"] == 1
    clock.advance(5)
    assert condition(client) == ("Complete", None)
    assert world.jobs.runs("migrate") == 2


def test_several_pods_can_run_side_by_side(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    create(parallelism=2, completions=4)
    clock.advance(3)
    assert len(pods(client)) == 2
    clock.advance(4)
    assert condition(client) == ("Complete", None)
    assert world.jobs.runs("migrate") == 4


def test_a_job_past_its_limit_is_ended(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(seconds=600, stop_seconds=600.0))
    create(activeDeadlineSeconds=10)
    clock.advance(10)
    assert condition(client) == ("Failed", "DeadlineExceeded")
    (pod,) = pods(client)
    assert (pod["CurrentStatus"], pod["DesiredStatus"]) == (1, 5)
    clock.advance(60)
    assert pods(client) == []


@pytest.mark.parametrize("how", ["background", "orphan"])
def test_a_pod_past_its_own_limit_is_ended_even_without_its_job(
    client: Client, clock: FakeClock, world: World, create: Create, how: Deletion
) -> None:
    """A job whose pod ended so has failed, without a word on the limit."""
    world.command("migrate", Command(seconds=600))
    body = job()
    body["spec"]["template"]["spec"]["activeDeadlineSeconds"] = 20
    create(body)
    world.jobs.deletion = how
    clock.advance(5)
    if how == "orphan":
        client.ask("DELETE", path(client, "web-release-7"))
    clock.advance(20)
    assert [pod["CurrentStatus"] for pod in pods(client)] == [7]
    assert [start.ended for start in world.commands.starts] != [None]
    assert how == "orphan" or condition(client) == ("Failed", "BackoffLimitExceeded")


def test_a_shell_ignores_the_signal_until_it_is_killed(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(seconds=600, stop_seconds=600.0, lines=[(20, "late")]))
    create()
    clock.advance(5)
    client.ask("DELETE", path(client, "web-release-7"))
    clock.advance(29)
    (pod,) = pods(client)
    assert log(client, pod)["Data"] == "late\n"
    clock.advance(2)
    assert [pod["CurrentStatus"] for pod in pods(client)] == [7]


@pytest.mark.parametrize(
    ("how", "status", "after"),
    [("background", 404, []), ("foreground", 200, []), ("orphan", 404, [1])],
)
def test_a_deleted_job_takes_its_pods_along_or_not(
    *,
    client: Client,
    clock: FakeClock,
    world: World,
    create: Create,
    how: Deletion,
    status: int,
    after: list[int],
) -> None:
    world.command("migrate", Command(seconds=600))
    world.jobs.deletion = how
    create()
    clock.advance(5)
    assert client.ask("DELETE", path(client, "web-release-7")).status_code in (200, 204)
    assert client.ask("GET", path(client, "web-release-7")).status_code == status
    assert world.jobs.left() == []
    clock.advance(20)
    assert [pod["CurrentStatus"] for pod in pods(client)] == after
    assert client.ask("GET", path(client, "web-release-7")).status_code == 404
    assert client.ask("DELETE", path(client, "web-release-7")).status_code == 404


def test_a_finished_job_is_removed_after_its_time_to_live(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    create(ttlSecondsAfterFinished=20)
    clock.advance(15)
    assert world.jobs.left() == ["web-release-7"]
    clock.advance(15)
    world.advance()
    assert world.jobs.left() == []


def test_the_backend_adds_its_own_labels_and_nodes(client: Client, create: Create) -> None:
    shown = create({**job(), "IsAnyHostAllowed": True, "AllocationTags": "tier-app"}).json()
    assert "IsAnyHostAllowed" not in shown
    assert shown["metadata"]["annotations"] == {"duplocloud.net/is-any-host-allowed": "true"}
    assert shown["metadata"]["labels"]["duplocloud.net/tenantname"] == "duploservices-dev01"
    template = shown["spec"]["template"]
    assert template["metadata"]["labels"]["app"] == "web-release-7"
    assert template["spec"]["nodeSelector"] == {
        "kubernetes.io/os": "linux",
        "tenantname": "duploservices-dev01",
        "allocationtags": "tier-app",
    }


def test_a_name_is_taken_until_its_job_is_deleted(client: Client, create: Create) -> None:
    assert create().status_code == 200
    again = create()
    assert (again.status_code, "already exists" in again.text) == (409, True)
    client.ask("DELETE", path(client, "web-release-7"))
    assert create().status_code == 200


def test_only_little_of_a_job_can_change(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    create()
    here = path(client, "web-release-7")
    assert client.ask("PUT", here, json=job(text="other")).status_code == 400
    changed = {**job(ttlSecondsAfterFinished=0), "metadata": {"name": "x", "labels": {"a": "b"}}}
    assert client.ask("PUT", here, json=changed).json()["metadata"]["labels"] == {"a": "b"}
    clock.advance(10)
    world.advance()
    assert world.jobs.left() == []


def test_a_job_can_be_suspended(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(seconds=600))
    create()
    clock.advance(5)
    client.ask("PUT", path(client, "web-release-7"), json=job(suspend=True))
    clock.advance(20)
    assert (pods(client), read(client)["status"].get("active")) == ([], None)


def _of_pod(**changes: Any) -> dict[str, Any]:
    body = job()
    body["spec"]["template"]["spec"] |= changes
    return body


def _of_container(**changes: Any) -> dict[str, Any]:
    body = job()
    body["spec"]["template"]["spec"]["containers"][0] |= changes
    return body


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "required"),
        (job(name="Web"), "DNS label"),
        (job(name="w" * 64), "DNS label"),
        (job(selector={}), "generated"),
        (_of_pod(restartPolicy="Always"), "not supported"),
        (_of_pod(containers=[]), "Required"),
        (_of_pod(volumes=[{"name": "a"}, {"name": "a"}]), "Duplicate"),
        (_of_container(image=""), "image"),
        (_of_container(env=[{"name": "A B", "value": "1"}]), "env.name"),
        (_of_container(env=[{"name": "A", "value": "1", "valueFrom": {"x": {}}}]), "valueFrom"),
        (_of_container(volumeMounts=[{"name": "a", "mountPath": "/a"}]), "Not found"),
        ({**job(), "metadata": {"name": "web", "labels": {"a": "b c"}}}, "labels.a"),
    ],
)
def test_what_kubernetes_refuses_is_refused(
    world: World, create: Create, body: dict[str, Any], word: str
) -> None:
    refused = create(body or {"metadata": {}})
    assert (refused.status_code, word in refused.text) == (400, True), refused.text
    assert world.jobs.left() == []


@pytest.mark.parametrize(
    "body",
    [
        _of_container(env=[{"Name": "A", "Value": "1"}]),
        _of_container(command="migrate"),
        _of_pod(ServiceAccountName="edit"),
        {**job(), "kind": "Job"},
        {**job(), "Name": "web"},
    ],
)
def test_a_body_of_another_shape_than_kubernetes_has_fails_the_test(
    world: World, create: Create, body: dict[str, Any]
) -> None:
    """Kubernetes drops fields that it does not know: the command would run without them."""
    create(body)
    with pytest.raises(ConformanceError, match="k8s/job"):
        check_exchange(world.log[-1])


def test_a_log_may_be_missing_from_a_reply(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.jobs.log_gap = 2
    world.command("migrate", Command(seconds=60, lines=[(0, "one")]))
    create()
    clock.advance(5)
    (pod,) = pods(client)
    assert ["Data" in log(client, pod) for _ in range(4)] == [True, False, True, False]


def test_an_older_portal_has_no_jobs(client: Client, world: World, create: Create) -> None:
    world.jobs.available = False
    assert (create().status_code, create().text) == (404, "")
    assert client.ask("GET", path(client)).status_code == 404


def test_a_permission_set_is_a_bad_request(client: Client, world: World, create: Create) -> None:
    world.jobs.denied = frozenset({"POST"})
    assert (create().status_code, create().text) == (400, "Default deny")
    assert client.ask("GET", path(client)).json() == []


def test_a_token_that_may_only_read_creates_nothing(
    client: Client, clock: FakeClock, world: World
) -> None:
    world.add_token("reader", read_only=True)
    reader = connect(world, clock, "reader")
    assert reader.ask("POST", path(client), json=job()).status_code == 403
    assert world.jobs.left() == []


def test_every_job_of_a_tenant_is_listed(client: Client, world: World, create: Create) -> None:
    create()
    create(name="web-pre-7")
    world.add_tenant("prod01")
    world.jobs.add(job("theirs"), world.tenant("prod01"))
    listed = client.ask("GET", path(client)).json()
    assert [one["metadata"]["name"] for one in listed] == ["web-release-7", "web-pre-7"]
    check_log(world.log)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("echo $$1", "echo $1"), ("echo $(LOG)", "echo info"), ("echo $(NONE) $x", "echo $(NONE) $x")],
)
def test_kubernetes_replaces_variables_in_a_command(
    clock: FakeClock, world: World, text: str, shown: str
) -> None:
    body = job(text=text)
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "LOG", "value": "info"}]
    world.jobs.add(body)
    clock.advance(5)
    world.advance()
    assert [start.line for start in world.commands.starts] == [f"{IMAGE} sh -c {shown}"]


def test_a_script_that_sleeps_before_it_exits_keeps_its_pod(
    client: Client, clock: FakeClock, world: World, create: Create
) -> None:
    world.command("migrate", Command(seconds=1, exit_code=4, lines=[(0, "one")]))
    create(text='(migrate); code=$?; echo "[exit $code]"; sleep 3; exit $code')
    clock.advance(3)
    assert log(client, pods(client)[0])["Data"] == "one\n"
    clock.advance(2)
    (pod,) = pods(client)
    assert (pod["CurrentStatus"], log(client, pod)["Data"]) == (1, "one\n[exit 4]\n")
    clock.advance(2)
    assert condition(client) == ("Failed", "BackoffLimitExceeded")


def test_a_fate_that_keeps_nothing_from_starting_is_rejected() -> None:
    with pytest.raises(ValueError, match="does not keep"):
        Command(fate="crash")
