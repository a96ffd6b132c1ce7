"""Make the recordings of this folder from raw ones.

    python -m tests.kubernetes.compact FOLDER [OLD_NAME=NEW_NAME ...]

The raw recordings looked at a Kubernetes 1.20 of one node every half second, and noted whole
states in a shape of their own. A recording here has the objects in the shape of the Kubernetes
API, with only what `portal_view` and the tests read, and only what changed since the line before:

    {"kind": "Deployment", "steps": [[25, "image set back"]], "length": 50.01}
    {"t": -1, "workload": {...}, "pods": {"web-abc-x": {...}, ...}}
    {"t": 0.51, "pods": {"web-abc-x": null, "web-def-y": {...}}, "events": [{...}]}

The second line is the state before the change. It is inferred: the first look came right after
the change, so pods of the new version are taken out, and those just deleted are taken as staying.

Recordings of jobs, made at 0 s, begin with nothing; a workload that is null is gone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Raw = dict[str, Any]

BEFORE = -1.0
FOLDER = Path(__file__).parent / "traces"
JOBS = "job-"
"""What the names of recordings of jobs begin with: they are not about services."""

# The templates' images at each step, by container, where no ReplicaSet shows them.
_IMAGES: dict[str, list[tuple[float, str]]] = {
    "daemonset": [(0, "app:ok-2")],
    "paused": [(0, "app:ok-2")],
    "recreate": [(0, "app:ok-2")],
    "statefulset": [(0, "app:ok-2")],
    "statefulset-crash": [(0, "app:crash-2"), (30, "app:ok-1")],
}
_LABELS = ("app", "job-name")
_CONDITIONS_OF_PODS = ("PodScheduled", "Ready")
_STATES = ("reason", "message", "exitCode", "signal")


def main(folder: str, *renamed: str) -> None:
    """Write a compact recording for each raw one in `folder`."""
    names = dict(pair.split("=") for pair in renamed)
    FOLDER.mkdir(exist_ok=True)
    for path in sorted(Path(folder).glob("*.jsonl")):
        raw = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [json.dumps(line, separators=(",", ":")) for line in compact(path.stem, raw)]
        name = names.get(path.stem, path.stem)
        (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def compact(scenario: str, raw: list[Raw]) -> list[Raw]:
    """Return the lines of a recording."""
    head, looks, end = raw[0], raw[1:-1], raw[-1]
    kind = looks[0]["workloads"][0]["kind"]
    states = _jobs(looks) if scenario.startswith(JOBS) else _services(scenario, looks)
    return [{"kind": kind, "steps": head["then"], "length": end["t"]}, *_differences(states)]


def _services(scenario: str, looks: list[Raw]) -> list[Raw]:
    """Return the states of a recorded change of a service, the state before it first."""
    templates = _templates(scenario, looks)
    states = [_before(looks[0], templates[0][1])]
    return states + [_state(look, _at(templates, look["t"])) for look in looks]


def _jobs(looks: list[Raw]) -> list[Raw]:
    """Return the states of a recorded job, from before it was created."""
    before: Raw = {"t": BEFORE, "workload": {}, "pods": {}, "events": []}
    return [before, *(_state(look, {}) for look in looks)]


def _differences(states: list[Raw]) -> list[Raw]:
    """Return a line for each state that differs from the one before."""
    lines: list[Raw] = []
    pods: Raw = {}
    workload: Raw = {}
    for state in states:
        line: Raw = {"t": state["t"]}
        if state["workload"] != workload:
            workload = state["workload"]
            line["workload"] = workload or None
        gone = {name: None for name in pods if name not in state["pods"]}
        changed = {name: pod for name, pod in state["pods"].items() if pod != pods.get(name)}
        if gone or changed:
            line["pods"] = {**gone, **changed}
        pods = state["pods"]
        if state["events"]:
            line["events"] = state["events"]
        if len(line) > 1 or not lines:
            lines.append(line)
    return lines


def _before(first: Raw, template: Raw) -> Raw:
    """Return the state before the change, from the first look after it."""
    state = _state(first, template)
    workload = state["workload"]
    # Until the controllers have caught up, the status is still that of the old revision.
    generation = max(1, workload["metadata"]["generation"] - 1)
    status = workload["status"]
    workload["metadata"]["generation"] = status["observedGeneration"] = generation
    if "desiredNumberScheduled" in status:
        status["updatedNumberScheduled"] = status["desiredNumberScheduled"]
    else:
        status["updatedReplicas"] = 0
        for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
            if key in status:
                status[key] = workload["spec"]["replicas"]
        status.pop("unavailableReplicas", None)
    if "updateRevision" in status:
        status["updateRevision"] = status["currentRevision"]
        status["currentReplicas"] = status["replicas"]
    images = [container["image"] for container in template["containers"]]
    pods = {
        name: pod
        for name, pod in state["pods"].items()
        if [container["image"] for container in pod["spec"]["containers"]] == images
        and _is_established(pod)
    }
    for pod in pods.values():
        pod["metadata"].pop("deletionTimestamp", None)
        for key in ("reason", "message"):
            pod["status"].pop(key, None)
        pod["status"]["phase"] = "Running"
    return {**state, "t": BEFORE, "pods": pods, "events": []}


def _is_established(pod: Raw) -> bool:
    return any("running" in entry["state"] for entry in pod["status"].get("containerStatuses", []))


def _state(look: Raw, template: Raw) -> Raw:
    workload = next((_workload(raw, template) for raw in look["workloads"]), {})
    pods = {pod["name"]: _pod(pod, template) for pod in look["pods"]}
    events = [_event(event) for event in look.get("events", []) if event["type"] == "Warning"]
    return {"t": look["t"], "workload": workload, "pods": pods, "events": events}


def _workload(raw: Raw, template: Raw) -> Raw:
    status = dict(raw["status"])
    if "conditions" in status:
        status["conditions"] = [
            _without_nulls(
                {"type": name, "status": values[0], "reason": values[1], "message": values[2]}
            )
            for name, values in status["conditions"].items()
        ]
    metadata = _without_nulls({"name": raw["name"], "generation": raw["generation"]})
    spec = {**raw["spec"], **({"template": {"spec": template}} if template else {})}
    return {"metadata": metadata, "spec": spec, "status": status}


def _without_nulls(entry: Raw) -> Raw:
    return {key: value for key, value in entry.items() if value is not None}


def _pod(pod: Raw, template: Raw) -> Raw:
    kind, _, owner = pod["owner"].partition("/")
    metadata = {
        "name": pod["name"],
        "labels": {key: pod["labels"][key] for key in _LABELS if key in pod["labels"]},
        "ownerReferences": [{"kind": kind, "name": owner}],
    }
    if "deletionTimestamp" in pod:
        metadata["deletionTimestamp"] = pod["deletionTimestamp"]
    inits = {container["name"] for container in template.get("initContainers", [])}
    spec = _pod_spec(_images(pod), inits)
    if pod.get("nodeName"):
        spec["nodeName"] = "node-1"
    status: Raw = {key: pod[key] for key in ("phase", "reason", "message") if key in pod}
    status["conditions"] = [
        _condition(name, value)
        for name, value in pod["conditions"].items()
        if name in _CONDITIONS_OF_PODS
    ]
    for key, raw in (("containerStatuses", "containers"), ("initContainerStatuses", "init")):
        if pod.get(raw):
            status[key] = [_container(entry) for entry in pod[raw]]
    return {"metadata": metadata, "spec": spec, "status": status}


def _pod_spec(images: dict[str, str], inits: set[str]) -> Raw:
    spec: Raw = {"containers": [], "initContainers": []}
    for name, image in images.items():
        spec["initContainers" if name in inits else "containers"].append(
            {"name": name, "image": image}
        )
    return {key: value for key, value in spec.items() if value}


def _condition(name: str, value: Any) -> Raw:
    if value == "True":
        return {"type": name, "status": "True"}
    status, reason, message = value
    return {"type": name, "status": status, "reason": reason, "message": message}


def _container(entry: Raw) -> Raw:
    status = {
        "name": entry["name"],
        "image": entry["image"],
        "ready": entry["ready"],
        "restartCount": entry["restarts"],
        "state": _without_times(entry["state"] or {}),
    }
    if entry["containerID"]:
        status["containerID"] = f"containerd://{entry['containerID']}"
    if entry.get("last"):
        status["lastState"] = _without_times(entry["last"])
    return status


def _without_times(state: Raw) -> Raw:
    return {
        name: {key: value for key, value in details.items() if key in _STATES}
        for name, details in state.items()
    }


def _event(event: Raw) -> Raw:
    kind, _, name = event["object"].partition("/")
    subject = {"kind": kind, "name": name}
    keys = ("type", "reason", "message", "count")
    return {**{key: event[key] for key in keys}, "involvedObject": subject}


def _templates(scenario: str, looks: list[Raw]) -> list[tuple[float, Raw]]:
    """Return the pod templates, each with the moment from which it was the wanted one."""
    if scenario in _IMAGES:
        steps = [(BEFORE, "app:ok-1"), *_IMAGES[scenario]]
        return [(at, {"containers": [{"name": "web", "image": image}]}) for at, image in steps]
    by_set = {
        pod["owner"].partition("/")[2]: pod
        for look in looks
        for pod in sorted(look["pods"], key=lambda pod: bool(pod["containers"]))
    }
    inits = {entry["name"] for pod in by_set.values() for entry in pod.get("init", [])}
    templates: list[tuple[float, Raw]] = []
    for look in looks:
        sets = sorted(look["replicasets"], key=lambda one: int(one["revision"]))
        if not templates:
            # The first look came right after the change, which made the newest revision.
            previous = sets[-2] if len(sets) > 1 else sets[-1]
            templates.append((BEFORE, _template(by_set[previous["name"]], inits)))
        wanted = _template(by_set[sets[-1]["name"]], inits)
        if wanted != templates[-1][1]:
            # The controller makes its ReplicaSet within a look of the change.
            templates.append((look["t"], wanted))
    return templates


def _template(pod: Raw, inits: set[str]) -> Raw:
    return _pod_spec(_images(pod), inits)


def _images(pod: Raw) -> dict[str, str]:
    """Return the images of a pod's containers, init containers included, by container."""
    entries = [*pod["containers"], *pod.get("init", [])]
    images: dict[str, str] = pod.get("spec_images") or {
        entry["name"]: entry["spec_image"] for entry in entries
    }
    return images


def _at(templates: list[tuple[float, Raw]], at: float) -> Raw:
    return [template for since, template in templates if since <= at][-1]


if __name__ == "__main__":
    main(*sys.argv[1:])
