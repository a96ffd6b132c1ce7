"""What `make kubernetes` takes for the truth, and its images, without a cluster."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live import images, truth
from tests.live.__main__ import main
from tests.live.access_cases import ACCESS_CASES
from tests.live.cases import CASES
from tests.live.command_cases import COMMAND_CASES
from tests.live.modes import by_mode
from tests.live.observer import Moment

Json = dict[str, Any]

OLD, NEW = "app:1", "app:2"
COUNTS = {
    "Deployment": {"updatedReplicas": 3, "availableReplicas": 3, "replicas": 3},
    "StatefulSet": {"updatedReplicas": 3, "readyReplicas": 3, "replicas": 3},
    "DaemonSet": {
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
        "currentNumberScheduled": 3,
        "desiredNumberScheduled": 3,
    },
}


def workload(
    kind: str = "Deployment", image: str = NEW, status: Mapping[str, int] | None = None
) -> Json:
    """Return a workload of three pods; complete unless `status` differs."""
    return {
        "kind": kind,
        "metadata": {"name": "web", "generation": 2},
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        },
        "status": {"observedGeneration": 2, **COUNTS[kind], **(status or {})},
    }


def pod(state: str, restarts: int, last: str = "", image: str = NEW, **metadata: str) -> Json:
    """Return a pod with one container in this state."""
    status = {
        "name": "web",
        "restartCount": restarts,
        "ready": False,
        "state": {state: {"reason": "CrashLoopBackOff"} if state == "waiting" else {}},
        "lastState": {last: {}} if last else {},
    }
    return {
        "metadata": {"name": "web-1", **metadata},
        "spec": {"containers": [{"name": "web", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def elf(*headers: int) -> bytes:
    """Return a program with program headers of these types."""
    start = b"\x7fELF\x02".ljust(32, b"\0") + struct.pack("<Q", 64)
    start = start.ljust(54, b"\0") + struct.pack("<HH", 4, len(headers))
    return start.ljust(64, b"\0") + struct.pack(f"<{len(headers)}I", *headers)


def moment(*pods: Json, at: float = 0.0, of: Json | None = None) -> Moment:
    return Moment(at, of or workload(), pods)


@pytest.mark.parametrize("kind", COUNTS)
def test_a_complete_workload_is_available(kind: str) -> None:
    """All pods are of the wanted revision and available, and no other pod is left."""
    assert truth.available({"web": NEW})(moment(of=workload(kind)))


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, counts in COUNTS.items() for key in counts]
)
@pytest.mark.parametrize("count", [2, 4])
def test_a_pod_too_few_or_too_many_is_not_available(kind: str, key: str, count: int) -> None:
    """A count that differs from the wanted one shows a rollout in progress."""
    assert not truth.available({"web": NEW})(moment(of=workload(kind, status={key: count})))


def test_the_status_of_an_earlier_generation_proves_nothing() -> None:
    """Right after a change, the counts are still those of the version before."""
    assert not truth.available({"web": NEW})(moment(of=workload(status={"observedGeneration": 1})))
    assert not truth.available({"web": NEW}, generation=2)(moment())


def test_another_image_is_not_the_wanted_version() -> None:
    """A complete workload of the old version does not serve the new one."""
    assert not truth.available({"web": NEW})(moment(of=workload(image=OLD)))


@pytest.mark.parametrize(
    ("state", "restarts", "last", "ends"),
    [
        ("running", 0, "", 0),
        ("terminated", 0, "", 1),
        ("running", 1, "terminated", 1),
        ("terminated", 1, "terminated", 2),
        ("waiting", 2, "terminated", 3),
        ("waiting", 0, "", 0),
    ],
)
def test_the_ends_of_a_container_are_counted(
    state: str, restarts: int, last: str, ends: int
) -> None:
    """A container that is down has ended once more than it was restarted."""
    seen = moment(pod(state, restarts, last))
    assert truth.ended(NEW, ends)(seen) or ends == 0
    assert not truth.ended(NEW, ends + 1)(seen)


def test_pods_of_another_version_and_deleted_pods_are_no_evidence() -> None:
    """Old pods may have crashed before, and a pod on its way out ends anyway."""
    crashed = pod("terminated", 4)
    assert truth.ended(NEW, 3)(moment(crashed))
    assert not truth.ended(NEW, 3)(moment(pod("terminated", 4, image=OLD)))
    assert not truth.ended(NEW, 3)(moment(pod("terminated", 4, deletionTimestamp="now")))


def test_the_first_moment_counts() -> None:
    """The time is that of the first moment at which it was true, None if it never was."""
    moments = [moment(at=1.0), moment(pod("waiting", 1), at=2.0), moment(pod("waiting", 1), at=3.0)]
    assert truth.first(moments, truth.waiting(NEW, "CrashLoopBackOff")) == 2.0
    assert truth.first(moments, truth.waiting(NEW, "ErrImagePull")) is None


def job(condition: str) -> Json:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    return {"metadata": {"name": "web-release-1"}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("state", "started"),
    [
        ({"waiting": {"reason": "ContainerCreating"}}, False),
        ({"running": {}}, True),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, True),
        ({"terminated": {"reason": "StartError", "exitCode": 128}}, False),
    ],
)
def test_a_command_ran_if_its_container_was_started(state: Json, *, started: bool) -> None:
    """A container whose image lacks the program ends without having run."""
    seen = moment({"metadata": {}, "spec": {}, "status": {"containerStatuses": [{"state": state}]}})
    assert truth.has_started(seen) == started
    assert truth.is_running(seen) == ("running" in state)


def test_a_job_ends_with_its_condition() -> None:
    """Counts of its pods are not enough."""
    assert truth.job_ended("Failed")(moment(of=job("Failed")))
    assert not truth.job_ended("Failed")(moment(of=job("Complete")))
    assert not truth.job_ended("Failed", "Complete")(moment(of=job("")))


def test_every_case_has_a_name_of_its_own_that_a_service_can_have() -> None:
    """The name of a case is that of its service, and appears in the names of its pods."""
    names = [case.name for case in (*CASES, *ACCESS_CASES, *COMMAND_CASES)]
    assert len(set(names)) == len(names) >= 38
    assert all(re.fullmatch("[a-z][a-z0-9-]{1,30}", name) for name in names)


def test_an_image_archive_loads_as_that_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive names its image, and every blob that it names is there."""
    program = tmp_path / "busybox"
    program.write_bytes(elf(1))
    monkeypatch.setenv("LIVE_BUSYBOX", str(program))
    with tarfile.open(fileobj=io.BytesIO(images.docker_archive("pipe-live/app:2"))) as archive:
        described = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        config = json.load(archive.extractfile(described[0]["Config"]) or io.BytesIO())
        assert described[0]["RepoTags"] == ["pipe-live/app:2"]
        assert set(described[0]["Layers"]) <= set(archive.getnames())
    assert "VERSION=2" in config["config"]["Env"]


def test_a_busybox_with_libraries_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of that one file would not start; the message names what to install."""
    program = tmp_path / "busybox"
    program.write_bytes(elf(1, 3))
    monkeypatch.setenv("LIVE_BUSYBOX", str(program))
    monkeypatch.setenv("LIVE_LOAD", "load")
    with pytest.raises(images.ImageError, match="busybox-static"):
        images.check()


def test_without_a_cluster_the_command_fails_and_explains_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the reason, and three ways to a cluster."""
    monkeypatch.setitem(os.environ, "KUBECONFIG", str(tmp_path / "none"))
    assert main([]) == 2
    error = capsys.readouterr().err
    assert "kubectl" in error
    assert all(name in error for name in ("kind create cluster", "minikube start", "k3s server"))


@pytest.mark.parametrize(
    ("named", "of_good", "of_late", "of_refusal"),
    [
        ("", ["false", "auto"], ["false"], ["auto"]),
        ("all", ["false", "auto", "true"], ["false", "auto", "true"], ["auto"]),
        ("true", ["true"], ["true"], ["auto"]),
    ],
)
def test_cases_run_in_the_modes_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    of_good: list[str],
    of_late: list[str],
    of_refusal: list[str],
) -> None:
    """Without any, all of them as before, and a selection by Kubernetes' own account."""
    monkeypatch.setenv("LIVE_MODES", named)
    modes: dict[str, list[str]] = {}
    for case in by_mode([*CASES, *ACCESS_CASES]):
        assert case.plan.variables["KUBERNETES"] == case.mode
        assert re.fullmatch("[a-z][a-z0-9-]{1,30}", case.name)
        modes.setdefault(case.base, []).append(case.mode)
    assert modes["good"] == of_good
    assert modes["ready-late"] == of_late
    assert modes["access-silent"] == of_refusal
