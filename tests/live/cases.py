"""The cases: what happens to a service, and what is true of it by Kubernetes' own account."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.live import truth
from tests.live.bench import Action, Plan, Result, Stage
from tests.live.images import digest, tag
from tests.live.workloads import OWN_NAME, Conduct, Service

Json = dict[str, Any]
Evidence = Callable[[Result], float | None]
"""When, in monotonic seconds, Kubernetes showed what the run should have ended with."""

_AWAY_SECONDS = 12
_CRASH_LIMIT = 3
_SHORT = {"WAIT_TIMEOUT": "20"}


@dataclass(frozen=True)
class Case:
    """One case; `reason` is a regular expression that the run's output must match.

    The run ends no later than `latest` seconds after the evidence, and never before it. `after`
    checks what else must be true.
    """

    name: str
    service: Service
    plan: Plan
    code: int
    reason: str
    evidence: Evidence
    latest: float = 12.0
    after: Callable[[Result], None] | None = None
    needs_registry: bool = False
    seen: str = ""
    """What the output must match as well where Kubernetes itself can be asked."""
    mode: str = ""
    """The value of KUBERNETES, empty for any."""
    base: str = ""
    """The name without the mode."""


def serves(result: Result) -> float | None:
    """Return when the workload was available in the wanted revision."""
    return truth.first(result.moments, truth.available(result.wanted, result.generation))


def crashed(result: Result) -> float | None:
    """Return when some new container had ended as often as the pipe allows."""
    image = result.stage.images.new
    return truth.first(result.moments, truth.ended(image, _CRASH_LIMIT))


def not_pulled(result: Result) -> float | None:
    """Return when the node first failed to pull the image."""
    reasons = ("ErrImagePull", "ImagePullBackOff")
    return truth.first(result.moments, truth.waiting(result.stage.images.absent, *reasons))


def time_up(result: Result) -> float | None:
    """Return the end of WAIT_TIMEOUT: until then, the rollout might still have succeeded."""
    return None if result.changed is None else result.changed + result.timeout


def nothing_to_wait_for(result: Result) -> float | None:
    """Return the start of the run."""
    return result.started


def restored(result: Result) -> float | None:
    """Return when the workload was available in the previous version again."""
    previous = {result.stage.name: result.stage.images.old}
    return truth.first(result.moments, truth.available(previous, result.generation))


def rolled_back_in_vain(result: Result) -> float | None:
    """Return when the previous images were set on a set whose crashed pod stays as it is."""
    return result.changes[1] if len(result.changes) > 1 else None


def superseded(result: Result) -> float | None:
    """Return when the other deployment had set its image."""
    return truth.first(result.moments, truth.set_to({result.stage.name: result.stage.images.other}))


def new_version(*others: str) -> Callable[[Stage], Mapping[str, str]]:
    """Ask for the new version of the main container and of `others`."""
    return lambda stage: dict.fromkeys((stage.name, *others), stage.images.new)


def _old_version(stage: Stage) -> Mapping[str, str]:
    return {stage.name: stage.images.old}


def _absent_version(stage: Stage) -> Mapping[str, str]:
    return {stage.name: stage.images.absent}


def _version_of_late_registry(stage: Stage) -> Mapping[str, str]:
    return {stage.name: f"{stage.late_registry}/pipe-live/app:{tag(stage.images.new)}"}


def _version_by_digest(stage: Stage) -> Mapping[str, str]:
    """Ask for a digest, whose content the node also has under a tag that it will show instead."""
    return {stage.name: f"{stage.images.registry}/pipe-live/app@{digest(tag(stage.images.new))}"}


def _run_under_two_names(stage: Stage) -> None:
    """Let the service run the new version, which the node has under another name too."""
    for image in (
        f"{stage.images.registry}/pipe-live/app:{tag(stage.images.new)}",
        stage.images.new,
    ):
        stage.deploy_elsewhere(image)
        stage.settle()


def _run_by_digest(stage: Stage) -> None:
    """Let the service run the digest already."""
    stage.deploy_elsewhere(_version_by_digest(stage)[stage.name])
    stage.settle()


def _invalid_name(stage: Stage) -> Mapping[str, str]:
    return {stage.name: "Repo/App:1"}


def _scale_to(replicas: int) -> Action:
    return lambda stage: stage.services.scale(stage.name, replicas)


def _evict_new_pod(stage: Stage) -> None:
    """Let the kubelet end one new pod for good; its object stays, as after an eviction."""
    name = next(iter(stage.pods(stage.images.new)))
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{name}"
    stage.cluster.patch(path, {"spec": {"activeDeadlineSeconds": 1}})


def _leave_evicted_pod(stage: Stage) -> None:
    """Leave the object of an evicted pod with the labels and the owner of the service's pods.

    It is made without them first: a ReplicaSet removes a pod too many, but not a failed one.
    """
    collection = f"/api/v1/namespaces/{stage.namespace}/pods"
    model = stage.cluster.get(f"{collection}/{stage.pods(stage.images.old)[0]}")
    name = f"{model['metadata']['generateName']}evict"
    containers = [
        {"name": one["name"], "image": one["image"]} for one in model["spec"]["containers"]
    ]
    # No scheduler takes it, so no kubelet corrects its status.
    spec = {"containers": containers, "schedulerName": "none"}
    stage.cluster.create(
        collection, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    )
    path = f"{collection}/{name}"
    message = "The node was low on resource: memory."
    status = {"phase": "Failed", "reason": "Evicted", "message": message}
    stage.cluster.patch_status(path, status)
    metadata = {key: model["metadata"][key] for key in ("labels", "ownerReferences")}
    stage.cluster.patch(path, {"metadata": metadata})
    # Time for a controller to react, if it would.
    time.sleep(2)


def _changed_nothing(result: Result) -> None:
    assert not result.changes, "the portal was asked for a change"


def _changed_once(result: Result) -> None:
    assert len(result.changes) == 1, f"the portal was asked for {len(result.changes)} changes"


def _showed_the_log(result: Result) -> None:
    assert "cannot connect to database" in result.output, "the log of the pod is not shown"


def _restored_and_showed_the_log(result: Result) -> None:
    assert len(result.changes) == 2, f"the portal was asked for {len(result.changes)} changes"
    assert crashed(result) is not None, "the run gave up before the third end of a container"
    _showed_the_log(result)


def _good(
    name: str,
    new: Conduct = "ok",
    plan: Plan | None = None,
    *,
    needs_registry: bool = False,
    **service: Any,
) -> Case:
    """Return a case that ends with the new version serving."""
    return Case(
        name,
        Service(new=new, **service),
        plan or Plan(new_version()),
        code=0,
        reason=r"✔ .* (runs|was restarted on) ",
        evidence=serves,
        after=_changed_once,
        needs_registry=needs_registry,
    )


def _crash(name: str, containers: Sequence[str] = (), seen: str = "", **service: Any) -> Case:
    """Return a case that ends when a container has crashed often enough."""
    return Case(
        name,
        Service(**service),
        Plan(new_version(*containers)),
        code=10,
        reason=r"keeps crashing",
        evidence=crashed,
        seen=seen,
    )


def _timed_out(name: str, reason: str, seen: str = "", **service: Any) -> Case:
    """Return a case in which waiting is all that can be done."""
    return Case(
        name,
        Service(**service),
        Plan(new_version(), _SHORT),
        code=10,
        reason=reason,
        evidence=time_up,
        seen=seen,
    )


_PROBE_FAILED = r"did not finish within 20 s.*Readiness probe failed: .*/tmp/ready"
"""The verdict itself names the answer of the probe."""
_SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
_ALONE: Json = {
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {"matchLabels": {"app": OWN_NAME}},
                    # All nodes share this label: there can be one such pod in the whole cluster.
                    "topologyKey": "kubernetes.io/os",
                }
            ]
        }
    }
}

CASES: tuple[Case, ...] = (
    # The longest first, so that they do not run alone at the end.
    _good("crash-twice", "crash-twice"),
    _crash("oom-kill", seen=r"OOMKilled", new="hog", probe=False, memory="24Mi", replicas=1),
    _crash("init-fails", containers=["migrate"], init="crash", replicas=1),
    _crash("sidecar-crashes", containers=["log"], sidecar="crash", replicas=1),
    Case(
        "crash-at-once",
        Service(new="crash"),
        Plan(new_version()),
        code=10,
        reason=r"keeps crashing",
        evidence=crashed,
        after=_showed_the_log,
    ),
    Case(
        "rollback",
        Service(new="crash"),
        Plan(new_version(), {"ROLLBACK": "true"}),
        code=8,
        reason=r"previous version",
        evidence=restored,
        latest=25.0,
        after=_restored_and_showed_the_log,
    ),
    # Kubernetes never replaces the crashed pod of a StatefulSet, not even by the previous version.
    Case(
        "set-rolled-back",
        Service(new="crash", kind="StatefulSet"),
        Plan(new_version(), {"ROLLBACK": "true", "WAIT_TIMEOUT": "75"}),
        code=9,
        reason=r"[Rr]ollback failed",
        evidence=rolled_back_in_vain,
        latest=90.0,
    ),
    _good("ready-late", "late"),
    _good("pod-evicted", "late", Plan(new_version(), meanwhile=[(4, _evict_new_pod)])),
    _good("killed-and-run-again", "late", Plan(new_version(), kill_after=4)),
    Case(
        "scaled-down",
        Service(new="late"),
        Plan(new_version(), meanwhile=[(4, _scale_to(1))]),
        code=0,
        reason=r"✔ .* runs ",
        evidence=serves,
    ),
    Case(
        "changed-by-another",
        Service(new="late"),
        Plan(
            new_version(),
            meanwhile=[(3, lambda stage: stage.deploy_elsewhere(stage.images.other))],
        ),
        code=7,
        reason=r"another deployment",
        evidence=superseded,
    ),
    _timed_out(
        "never-ready-1", r"did not finish within 20 s", _PROBE_FAILED, new="never", replicas=1
    ),
    _timed_out(
        "never-ready-3", r"did not finish within 20 s", _PROBE_FAILED, new="never", replicas=3
    ),
    _timed_out("unschedulable", r"no node|anti-affinity", r"anti-affinity", replicas=1, pod=_ALONE),
    _good(
        "registry-away",
        plan=Plan(_version_of_late_registry, meanwhile=[(_AWAY_SECONDS, Stage.open_registry)]),
        needs_registry=True,
    ),
    _good("by-digest", plan=Plan(_version_by_digest), needs_registry=True),
    Case(
        "by-digest-again",
        Service(),
        Plan(_version_by_digest, before=_run_by_digest),
        code=0,
        reason=r"Nothing to change",
        evidence=nothing_to_wait_for,
        after=_changed_nothing,
        needs_registry=True,
    ),
    Case(
        "other-name-again",
        Service(),
        Plan(new_version(), before=_run_under_two_names),
        code=0,
        reason=r"Nothing to change",
        evidence=nothing_to_wait_for,
        after=_changed_nothing,
        needs_registry=True,
    ),
    _good("stateful-set", kind="StatefulSet"),
    _good("daemon-set", kind="DaemonSet"),
    Case(
        "absent-image",
        Service(),
        Plan(_absent_version),
        code=10,
        reason=r"cannot pull its image.*not found",
        evidence=not_pulled,
    ),
    _good("good"),
    _good("recreate", spec={"strategy": {"type": "Recreate"}}),
    _good("surge", spec={"strategy": _SURGE}),
    _good("restart", plan=Plan(_old_version, {"RESTART": "true"})),
    _good("environment-only", plan=Plan(_old_version, {"ENV": "ADDED=1"})),
    Case(
        "evicted-before",
        Service(),
        Plan(_old_version, {"ROLLBACK": "true"}, before=_leave_evicted_pod),
        code=0,
        reason=r"already runs|[Nn]othing to",
        evidence=nothing_to_wait_for,
        after=_changed_nothing,
    ),
    Case(
        "invalid-name",
        Service(replicas=1),
        Plan(_invalid_name),
        code=2,
        reason=r"capital letters",
        evidence=nothing_to_wait_for,
        after=_changed_nothing,
    ),
)
