"""The values that `SERVICE`, `SERVICES` and `KIND` accept."""

from __future__ import annotations

import pytest

from pipe.errors import ConfigError
from pipe.image import NONE
from pipe.kind import Kind
from pipe.model import Target
from pipe.settings import load

BASE = {"DUPLO_HOST": "https://p.example", "DUPLO_TOKEN": "token-0123456789", "TENANT": "dev01"}


def image_requests(**variables: str) -> list[tuple[Target, str, str]]:
    """Return target, container and image of every request."""
    return [
        (request.target, request.container, str(request.image))
        for request in load(BASE | variables).image_requests
    ]


def problems(**variables: str) -> dict[str, str]:
    """Return the problems by variable."""
    with pytest.raises(ConfigError) as caught:
        load(BASE | variables)
    return {problem.variable: problem.what for problem in caught.value.problems}


def test_an_entry_names_kind_name_container_and_image() -> None:
    """Kind and container are optional."""
    text = "web=team/web:2 web/log=log:3\necs:api=r.example:5000/api@sha256:" + "a" * 64
    assert image_requests(SERVICES=text) == [
        (Target(Kind.SERVICE, "web"), "", "team/web:2"),
        (Target(Kind.SERVICE, "web"), "log", "log:3"),
        (Target(Kind.ECS, "api"), "", "r.example:5000/api@sha256:" + "a" * 64),
    ]


def test_a_list_is_read_entry_by_entry() -> None:
    """Bitbucket passes a list as X_COUNT, X_0, X_1, ..."""
    given = {"SERVICES_COUNT": "2", "SERVICES_0": "web=a:1", "SERVICES_1": "lambda:fn=b:2"}
    assert image_requests(**given) == [
        (Target(Kind.SERVICE, "web"), "", "a:1"),
        (Target(Kind.LAMBDA, "fn"), "", "b:2"),
    ]


def test_a_kind_in_an_entry_overrides_kind() -> None:
    """KIND is the default for entries without one."""
    assert image_requests(KIND="cronjob", SERVICES="nightly=a:1 service:web=b:2") == [
        (Target(Kind.CRONJOB, "nightly"), "", "a:1"),
        (Target(Kind.SERVICE, "web"), "", "b:2"),
    ]
    requests = image_requests(KIND="ecs", SERVICE="api,web", IMAGE="a:1")
    assert [target.kind for target, _, _ in requests] == [Kind.ECS, Kind.ECS]


def test_several_names_share_one_image() -> None:
    """SERVICE may list names separated by commas and spaces."""
    names = [
        target.name for target, _, _ in image_requests(SERVICE="web, api  worker", IMAGE="a:1")
    ]
    assert names == ["web", "api", "worker"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("web", "which has no =image"),
        ("web=", "no image after the ="),
        ("web/=a:1", "no container after the /"),
        ("=a:1", "is not a valid name"),
        ("pod:web=a:1", "must be one of service, ecs, lambda, cronjob"),
        ("web=a", "names neither a tag nor a digest"),
        ("web=a:$TAG", "literal text $TAG"),
        ("web=a:1 web=a:1", "names web twice"),
        ("web=a:1 service:web=a:2", "names web with 2 images: a:1, a:2"),
        ("web/log=a:1 web/log=a:2", "names web/log with 2 images"),
    ],
)
def test_an_invalid_entry_is_refused_with_the_reason(entry: str, message: str) -> None:
    """The problem names SERVICES and quotes the entry."""
    assert message in problems(SERVICES=entry)["SERVICES"]


def test_all_invalid_entries_are_reported_together() -> None:
    """One run shows every problem."""
    with pytest.raises(ConfigError) as caught:
        load(BASE | {"SERVICES": "web api= /x=a:1"})
    assert len(caught.value.problems) == 3


def test_services_cannot_be_combined_with_service_and_image() -> None:
    """Both are reported."""
    reported = problems(SERVICES="web=a:1", SERVICE="api", IMAGE="b:2")
    assert set(reported) == {"SERVICE", "IMAGE"}


def test_without_services_service_and_image_are_required() -> None:
    """The shortest configuration needs both."""
    assert set(problems()) == {"SERVICE", "IMAGE"}


def test_a_repeated_name_is_refused() -> None:
    """A name listed twice is probably a mistake."""
    assert "web" in problems(SERVICE="web api web", IMAGE="a:1")["SERVICE"]


@pytest.mark.parametrize(
    "count", [pytest.param("9" * 5000, id="5000 digits"), "two", "-1", "100000", "2.5"]
)
def test_an_invalid_count_is_refused(count: str) -> None:
    """The problem names SERVICES_COUNT."""
    assert "SERVICES_COUNT" in problems(SERVICES_COUNT=count)["SERVICES"]


def test_only_a_rollback_may_omit_the_image() -> None:
    """A rollback finds the previous image."""
    settings = load(BASE | {"ACTION": "rollback", "SERVICES": "web lambda:fn=a:1"})
    assert [request.image == NONE for request in settings.image_requests] == [True, False]
    assert load(BASE | {"ACTION": "rollback", "SERVICE": "web"}).image_requests[0].image == NONE


@pytest.mark.parametrize("kind", Kind)
def test_restart_is_refused_for_kinds_that_cannot_restart(kind: Kind) -> None:
    """The reason comes from the kind's capabilities."""
    variables = {"SERVICES": f"{kind}:one=a:1", "RESTART": "true"}
    restart = kind.capabilities.can_restart
    if restart:
        assert load(BASE | variables).restart
    else:
        assert problems(**variables)["RESTART"] == (
            f"cannot be used with {kind}:one: {restart.reason}"
        )


def test_a_cronjob_cannot_be_restarted() -> None:
    """It has no pods to restart."""
    problem = problems(SERVICES="web=a:1 cronjob:nightly=a:1", RESTART="true")["RESTART"]
    assert problem == "cannot be used with cronjob:nightly: a CronJob has no pods to restart"
