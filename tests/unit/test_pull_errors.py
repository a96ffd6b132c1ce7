"""Failed pulls: which errors a retry may resolve."""

from __future__ import annotations

import pytest

from pipe.kinds.service.problems import AFTER_RETRIES, SOON
from pipe.kinds.service.pull_errors import PullError, classify
from pipe.kinds.service.rollout import Look
from pipe.portal import Fault, Pod
from pipe.rollout import Failed, Ready, Waiting
from tests.support.service_looks import OLD, change, every_second, fault, pod, service, verdict

ONE = service(replicas=1)
PLAIN = change(service(OLD))
RESOLVE = 'failed to pull and unpack image "team/web:2": failed to resolve reference "team/web:2"'
TIMEOUT = f"rpc error: code = Unknown desc = {RESOLVE}: dial tcp 1.2.3.4:443: i/o timeout"
ABSENT = f"rpc error: code = NotFound desc = {RESOLVE}: team/web:2: not found"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (ABSENT, PullError.ABSENT),
        ("manifest for team/web:2 not found: manifest unknown", PullError.ABSENT),
        ("no matching manifest for linux/arm64 in the manifest list entries", PullError.ABSENT),
        ("InvalidImageName couldn't parse image reference", PullError.ABSENT),
        (TIMEOUT, PullError.TEMPORARY),
        (f"{RESOLVE}: dial tcp 127.0.0.1:5999: connect: connection refused", PullError.TEMPORARY),
        ("dial tcp: lookup registry.internal on 10.0.0.2:53: no such host", PullError.TEMPORARY),
        ("fetch anonymous token: unexpected status: 503 Service Unavailable", PullError.TEMPORARY),
        ("pull QPS exceeded", PullError.TEMPORARY),
        ("toomanyrequests: You have reached your pull rate limit", PullError.TEMPORARY),
        (
            "pull access denied, repository does not exist or may require authorization",
            PullError.UNCLEAR,
        ),
        (
            "failed to copy: httpReadSeeker: failed open: https://r/v2/x/blobs/1 not found",
            PullError.UNCLEAR,
        ),
        ('Back-off pulling image "team/web:2"', PullError.UNEXPLAINED),
        ('ImagePullBackOff Back-off pulling image "team/web:2"', PullError.UNEXPLAINED),
        ("Error: ImagePullBackOff", PullError.UNEXPLAINED),
        ("Error: ErrImagePull", PullError.UNEXPLAINED),
        ("", PullError.UNEXPLAINED),
    ],
)
def test_an_error_is_classified_by_its_words(text: str, error: PullError) -> None:
    """As kubelets, containerd and Docker write them."""
    assert classify(text, "team/web:2") is error


@pytest.mark.parametrize("image", ["team/timeout:503", "eof/unavailable:429"])
def test_the_name_of_an_image_is_no_error(image: str) -> None:
    """It may contain any word."""
    assert classify(f'failed to resolve "{image}": {image}: not found', image) is PullError.ABSENT


def waiting(reason: str, message: str = "", phase: int = 9) -> Pod:
    """Return a pod that cannot pull its image."""
    return pod("a", phase=phase, waiting=reason, message=message)


def test_an_absent_image_is_final_at_the_second_look() -> None:
    """No retry finds it."""
    story = [Look(at, (waiting("ErrImagePull", ABSENT),), ONE) for at in (1.0, 1.0 + SOON)]
    assert isinstance(verdict(PLAIN, story[0]), Waiting)
    result = verdict(PLAIN, *story)
    assert isinstance(result, Failed)
    assert result.reason.endswith("team/web:2: not found")


def test_a_registry_that_cannot_be_reached_is_waited_for() -> None:
    """The back-off that follows hides the cause, which is remembered."""
    story = [
        Look(1.0, (waiting("ErrImagePull", TIMEOUT),), ONE),
        *every_second(
            range(2, 600), (waiting("ImagePullBackOff", 'Back-off pulling image "x"'),), ONE
        ),
    ]
    result = verdict(PLAIN, *story)
    assert isinstance(result, Waiting)
    assert "i/o timeout" in result.stuck
    assert isinstance(verdict(PLAIN, *story, *every_second(range(600, 606), UP, ONE)), Ready)


UP = (pod("a"),)


def test_the_cause_may_be_any_of_several_faults() -> None:
    """The most severe one says only that there is an error."""
    faults = (
        Fault(frozenset({"a"}), "Error: ImagePullBackOff", 9),
        Fault(frozenset({"a"}), 'Back-off pulling image "team/web:2"', 8),
        fault("a", f'Failed to pull image "team/web:2": {TIMEOUT}'),
    )
    for failing in (waiting("ImagePullBackOff"), pod("a", phase=9), pod("a", phase=4)):
        result = verdict(PLAIN, *every_second(range(1, 100), (failing,), ONE, faults))
        assert isinstance(result, Waiting)
        assert "i/o timeout" in result.stuck


def test_a_pull_whose_cause_is_unknown_is_final_after_several_tries() -> None:
    """Refused credentials may be renewed meanwhile."""
    story = every_second(range(1, int(AFTER_RETRIES) + 2), (waiting("ImagePullBackOff"),), ONE)
    assert isinstance(verdict(PLAIN, *story[:-1]), Waiting)
    assert isinstance(verdict(PLAIN, *story), Failed)
