"""Every kind is complete: driver, watcher, capabilities, sandbox, example and documentation."""

from __future__ import annotations

import inspect
import re
from typing import get_type_hints

import pytest

from pipe.kind import Kind
from pipe.kinds.dispatch import open_driver
from pipe.kinds.driver import Driver
from pipe.portal import TenantPortal
from pipe.rollout import Watcher
from tests.contract.documents import ROOT
from tests.sandbox.kinds import KINDS
from tests.support.fake_clock import FakeClock

EXAMPLES = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("examples/*.yml")))
README = (ROOT / "README.md").read_text("utf-8")

every_kind = pytest.mark.parametrize("kind", Kind)


def driver_of(kind: Kind, portal: TenantPortal) -> type[Driver]:
    """Return the class of a kind's driver."""
    return type(open_driver(kind, portal, FakeClock()))


def watcher_of(driver: type[Driver]) -> type[Watcher]:
    """Return the class of the watcher that a driver is declared to return."""
    watcher: type[Watcher] = get_type_hints(driver.watch)["return"]
    return watcher


@pytest.fixture
def portal() -> TenantPortal:
    """Return a portal that drivers can be opened for, but not used with."""
    return object.__new__(TenantPortal)


def overrides(subclass: type, method: str, base: type) -> bool:
    """Return whether a class has a method of its own instead of the base class's."""
    return getattr(subclass, method) is not getattr(base, method)


@every_kind
def test_a_kind_has_a_complete_driver_of_its_own(kind: Kind, portal: TenantPortal) -> None:
    """No abstract method is left, and no other kind has the same driver."""
    driver = driver_of(kind, portal)
    assert issubclass(driver, Driver)
    assert not inspect.isabstract(driver)
    assert [other for other in Kind if driver_of(other, portal) is driver] == [kind]


@every_kind
def test_a_kind_has_a_complete_watcher(kind: Kind, portal: TenantPortal) -> None:
    """The driver declares a concrete watcher."""
    watcher = watcher_of(driver_of(kind, portal))
    assert issubclass(watcher, Watcher)
    assert not inspect.isabstract(watcher)


@every_kind
def test_history_is_declared_if_the_driver_reads_it(kind: Kind, portal: TenantPortal) -> None:
    """`keeps_history` goes with `previous_images`."""
    reads_history = overrides(driver_of(kind, portal), "previous_images", Driver)
    assert bool(kind.capabilities.keeps_history) == reads_history


@every_kind
def test_pods_are_declared_if_the_watcher_counts_them(kind: Kind, portal: TenantPortal) -> None:
    """`has_pods` goes with `pod_counts`."""
    counts_pods = overrides(watcher_of(driver_of(kind, portal)), "pod_counts", Watcher)
    assert bool(kind.capabilities.has_pods) == counts_pods


@every_kind
def test_the_sandbox_has_every_kind(kind: Kind) -> None:
    """Services are the sandbox's core, the other kinds have a module each."""
    assert kind is Kind.SERVICE or str(kind) in KINDS


@every_kind
def test_an_example_deploys_every_kind(kind: Kind) -> None:
    """By `KIND`, or by the prefix in `SERVICES`; services need neither."""
    spelling = r"\bSERVICES?:" if kind is Kind.SERVICE else rf"\bKIND: '?{kind}\b|\b{kind}:[\w-]+="
    assert re.search(spelling, EXAMPLES)


@every_kind
def test_the_readme_has_a_row_for_every_kind(kind: Kind) -> None:
    """It is the row with the kind's capabilities."""
    assert re.search(rf"^\| `{kind}` \|", README, re.MULTILINE)
