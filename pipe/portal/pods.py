"""Pods of services."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count as counter
from operator import attrgetter
from sys import intern
from typing import Any

from pipe.errors import Unreachable
from pipe.portal.fields import (
    LONGEST_PROSE,
    count,
    is_integer,
    nested,
    objects,
    prose,
    text,
)
from pipe.portal.list_reader import values_of
from pipe.portal.scope import Scope
from pipe.secret import cut

log = logging.getLogger(__name__)

_LOG_LINES = 50
"""Requested, and kept: an older portal returns the whole log."""


class Phase(IntEnum):
    """The platform's codes for the state of a pod."""

    UNKNOWN = 0
    RUNNING = 1
    STOPPED = 2
    PENDING = 3
    WAITING = 4
    DELETE = 5
    DELETED = 6
    FAILED = 7
    SCHEDULING_FAILED = 8
    IMAGE_NOT_FOUND = 9
    EVICTED = 10
    SUCCEEDED = 11


_revisions = counter(1)
_PHASES = {int(phase): phase for phase in Phase}


@dataclass(frozen=True, slots=True)
class Termination:
    """How a container ended, as Kubernetes reports it."""

    reason: str
    exit_code: int | None
    signal: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod. `restarts` and the states are None or empty on older portals.

    `waiting` and `message` are the reason and message from Kubernetes for a container that does
    not run; `exit_code` and `ended` (such as `OOMKilled`) are those of its last termination.
    `running` and `waiting` are present states. A termination may be the present state or, on other
    portals, the one before the last restart: the field is called `LastContainerState`. `last` is
    the termination before the last restart, which only Kubernetes itself shows.
    """

    name: str
    image: str
    docker_id: str = ""
    restarts: int | None = None
    waiting: str = ""
    message: str = ""
    exit_code: int | None = None
    ended: str = ""
    running: bool = False
    last: Termination | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod; `owner` is the service's name, empty when the portal does not report it.

    `controller` names what created it: for a Deployment its ReplicaSet, which differs between
    generations. It is empty on Azure and for native Docker. Only Kubernetes itself shows `ready`,
    None on the portal, since when it has been ready or not (`ready_since`, as text), `message`, why
    the pod as a whole is not running, and `uid`.

    `revision` is the same at two looks only if nothing of the pod has changed in between. It is
    empty where that is unknown.
    """

    name: str
    owner: str
    phase: Phase
    desired: Phase
    host: str
    controller: str
    controller_kind: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    ready: bool | None = None
    ready_since: str = ""
    message: str = ""
    uid: str = ""
    revision: str = field(default="", compare=False)

    # Kept because a rollout of thousands of pods looks at each of them every second.

    is_running: bool = field(init=False, compare=False, repr=False)
    """Whether it runs and is meant to."""
    is_steady: bool = field(init=False, compare=False, repr=False)
    """Whether it runs, was never restarted, and no container shows any trouble."""
    incarnation: int = field(init=False, compare=False, repr=False)
    """An identity that changes when one of its containers is restarted or replaced.

    Where readiness shows, it changes with that as well.
    """

    def __post_init__(self) -> None:
        """Fill in what follows from the other fields."""
        every = self.all_containers
        is_running = self.phase is Phase.RUNNING and self.desired is Phase.RUNNING
        troubled = [one for one in every if one.restarts or one.waiting or one.ended]
        keep = object.__setattr__
        keep(self, "is_running", is_running)
        keep(self, "is_steady", is_running and not troubled and self.ready is not False)
        ids = tuple([(one.docker_id, one.restarts or 0) for one in every])
        keep(self, "incarnation", hash((self.name, ids, self.ready_since)))

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """Every container in the order they start, init containers first."""
        return (*self.init_containers, *self.containers)

    @property
    def is_waiting(self) -> bool:
        """Whether Kubernetes reports any of its containers as waiting."""
        return any(one.waiting for one in self.all_containers)

    @property
    def restarts(self) -> int:
        """The restart count of its most restarted container, as far as the portal reports it."""
        return max((one.restarts or 0 for one in self.all_containers), default=0)

    @property
    def counts_restarts(self) -> bool:
        """Whether the portal reports the restarts of all its containers."""
        return all(one.restarts is not None for one in self.all_containers)

    def is_unchanged(self, before: Pod) -> bool:
        """Return whether nothing of the pod has changed since an earlier look."""
        if self.revision and before.revision:
            return self.revision == before.revision
        return self == before


class Pods:
    """The portal's API for pods in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Pod, ...]:
        """Return every pod in the tenant, except those of jobs."""
        path = self._scope.v2("GetPods")
        reader = self._scope.memory.list_reader(path, decode_service_pod, attrgetter("name"))
        reply = self._scope.calls.read(path, stream=reader.read)
        return self._scope.calls.decode(reply, "the list of pods", values_of)

    def log_tail(self, pod: Pod, docker_id: str) -> tuple[str, ...]:
        """Return the last log lines of a container, none when the portal does not return them."""
        body = {"HostName": pod.host, "DockerId": docker_id, "Tail": _LOG_LINES}
        try:
            path = self._scope.v2("findContainerLogs")
            reply = self._scope.calls.send("POST", path, body)
            return decode_log(reply.json()) if reply.ok else ()
        except (Unreachable, ValueError) as error:
            log.debug("no log of %s: %s", pod.name, error)
            return ()


def decode_log(body: Any) -> tuple[str, ...]:
    """Decode `findContainerLogs`, whose `Data` may be missing or null."""
    data = text(body, "Data").removesuffix("\n") if isinstance(body, dict) else ""
    # `splitlines` also splits at characters that an application may write a million of in a line.
    lines = data.rsplit("\n", _LOG_LINES)[-_LOG_LINES:] if data else []
    return tuple(cut(line.removesuffix("\r"), LONGEST_PROSE) for line in lines)


def decode_service_pod(item: Mapping[str, Any]) -> Pod | None:
    """Decode one pod of `GetPods`, None if it belongs to a job."""
    pod = decode_pod(item)
    return None if pod.controller_kind.endswith("batch/v1/Job") else pod


def decode_pod(item: Mapping[str, Any]) -> Pod:
    """Decode one pod of `GetPods`, interning the few words that thousands of pods share.

    Each decoding has a revision of its own: the list's reader decodes a pod only if it changed.
    """
    controller = nested(item, "ControlledBy")
    return Pod(
        name=text(item, "InstanceId"),
        owner=intern(text(item, "Name")),
        phase=_phase(item, "CurrentStatus", Phase.UNKNOWN),
        desired=_phase(item, "DesiredStatus", Phase.RUNNING),
        host=intern(text(item, "Host")),
        controller=intern(text(controller, "NativeId")),
        controller_kind=intern(text(controller, "QualifiedType")),
        containers=tuple([_container(entry) for entry in objects(item, "Containers")]),
        init_containers=tuple([_container(entry) for entry in objects(item, "InitContainers")]),
        revision=str(next(_revisions)),
    )


def _container(item: Mapping[str, Any]) -> Container:
    state = nested(item, "LastContainerState")
    waiting, terminated = nested(state, "waiting"), nested(state, "terminated")
    return Container(
        name=intern(text(item, "Name")),
        image=intern(text(item, "Image")),
        docker_id=text(item, "DockerId"),
        restarts=count(item, "RestartCount"),
        running=isinstance(state.get("running"), dict),
        **(_trouble(waiting, terminated) if waiting or terminated else {}),
    )


def _trouble(waiting: Mapping[str, Any], terminated: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container shows of why it does not run, or did not."""
    exit_code = terminated.get("exitCode")
    return {
        "waiting": prose(waiting, "reason"),
        "message": prose(waiting, "message") or prose(terminated, "message"),
        "exit_code": exit_code if is_integer(exit_code) else None,
        "ended": (prose(terminated, "reason") or "Error") if terminated else "",
    }


def _phase(item: Mapping[str, Any], key: str, absent: Phase) -> Phase:
    value = item.get(key)
    return _PHASES.get(value, Phase.UNKNOWN) if is_integer(value) else absent
