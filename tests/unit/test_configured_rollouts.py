"""Rollouts of services in which the environment or the number of replicas changes."""

from __future__ import annotations

import json
from dataclasses import replace

from pipe.configuration import Configuration, EnvironmentEdit
from pipe.kinds.service.pods import runs_already
from pipe.kinds.service.snapshot import present
from pipe.model import MAIN, Change
from pipe.portal import Phase, Service
from pipe.rollout import Ready, Superseded, Waiting
from pipe.secret import Secret
from tests.support.service_looks import OLD, change, every_second, pod, service, verdict

EDIT = Configuration({MAIN: EnvironmentEdit({"LOG": Secret("debug")})})


def logging_at(level: str, **fields: object) -> Service:
    """Return a service of the previous image whose variable LOG has a value."""
    config = json.dumps({"Env": [{"Name": "LOG", "Value": level}]})
    return service(OLD, docker_config=config, **fields)


def configured(wanted: Configuration, before: Service, *pods: str) -> Change:
    """Return a change of a service's configuration alone."""
    made = change(before, tuple(pod(name, OLD) for name in pods), to=OLD, configuration=wanted)
    return replace(made, before=replace(made.before, present=present(before)))


def test_pods_of_the_same_image_are_previous_ones() -> None:
    """As long as their ReplicaSet makes no others, the new environment does not serve."""
    made = configured(EDIT, logging_at("info"), "x", "y")
    assert not runs_already(made, pod("x", OLD))
    pods = (pod("x", OLD), pod("y", OLD))
    found = verdict(made, *every_second(range(1, 30), pods, logging_at("debug")))
    assert isinstance(found, Waiting)
    assert "2 pods of the previous version still running" in found.detail


def test_pods_of_another_replicaset_are_new_ones() -> None:
    """Although they show the previous image."""
    made = configured(EDIT, logging_at("info"), "x", "y")
    pods = tuple(replace(pod(name, OLD), controller="web-9") for name in ("a", "b"))
    looks = every_second(range(1, 9), pods, logging_at("debug"))
    assert isinstance(verdict(made, *looks), Ready)


def test_the_previous_environment_is_waited_for_and_another_one_is_not() -> None:
    """A portal may show a change late; a third value is that of another deployment."""
    made = configured(EDIT, logging_at("info"), "x", "y")
    pods = (pod("x", OLD), pod("y", OLD))
    late = verdict(made, *every_second(range(1, 5), pods, logging_at("info")))
    assert late == Waiting("the portal still shows the previous configuration")
    theirs = verdict(made, *every_second(range(1, 5), pods, logging_at("trace")))
    assert theirs == Superseded("another environment")


def test_a_smaller_number_of_replicas_waits_for_the_surplus_to_go() -> None:
    """Until then the target does not run what was requested."""
    made = configured(Configuration(replicas=1), logging_at("info"), "x", "y")
    now = logging_at("info", replicas=1)
    pods = (pod("x", OLD), pod("y", OLD))
    assert isinstance(verdict(made, *every_second(range(1, 30), pods, now)), Waiting)
    assert isinstance(verdict(made, *every_second(range(1, 30), pods[:1], now)), Ready)


def test_no_replicas_are_reached_once_no_pod_terminates_any_more() -> None:
    """Terminating pods still serve."""
    made = configured(Configuration(replicas=0), logging_at("info"), "x")
    now = logging_at("info", replicas=0)
    leaving = (pod("x", OLD, desired=Phase.DELETE),)
    assert isinstance(verdict(made, *every_second(range(1, 5), leaving, now)), Waiting)
    assert isinstance(verdict(made, *every_second(range(1, 5), (), now)), Ready)
