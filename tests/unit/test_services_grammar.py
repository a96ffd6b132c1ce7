"""What `SERVICE`, `SERVICES` and `KIND` may hold."""

from __future__ import annotations

import pytest

from pipe.errors import ConfigError
from pipe.image import NONE
from pipe.kind import Kind
from pipe.model import Target
from pipe.settings import load

BASE = {"DUPLO_HOST": "https://p.example", "DUPLO_TOKEN": "token-0123456789", "TENANT": "dev01"}


def image_requests(**variables):
    return [
        (request.target, request.container, str(request.image))
        for request in load(BASE | variables).image_requests
    ]


def problems(**variables):
    with pytest.raises(ConfigError) as caught:
        load(BASE | variables)
    return {problem.variable: problem.what for problem in caught.value.problems}


def test_an_entry_names_kind_name_container_and_image():
    """Each part but name and image may be left out."""
    text = "web=team/web:2 web/log=log:3\necs:api=r.example:5000/api@sha256:" + "a" * 64
    assert image_requests(SERVICES=text) == [
        (Target(Kind.SERVICE, "web"), "", "team/web:2"),
        (Target(Kind.SERVICE, "web"), "log", "log:3"),
        (Target(Kind.ECS, "api"), "", "r.example:5000/api@sha256:" + "a" * 64),
    ]


def test_a_list_is_read_entry_by_entry():
    """Bitbucket passes lists as X_COUNT and X_0, X_1, ..."""
    given = {"SERVICES_COUNT": "2", "SERVICES_0": "web=a:1", "SERVICES_1": "lambda:fn=b:2"}
    assert image_requests(**given) == [
        (Target(Kind.SERVICE, "web"), "", "a:1"),
        (Target(Kind.LAMBDA, "fn"), "", "b:2"),
    ]


def test_kind_is_what_names_mean_when_they_do_not_say():
    """KIND is the default, a kind in the entry wins."""
    assert image_requests(KIND="cronjob", SERVICES="nightly=a:1 service:web=b:2") == [
        (Target(Kind.CRONJOB, "nightly"), "", "a:1"),
        (Target(Kind.SERVICE, "web"), "", "b:2"),
    ]
    found = image_requests(KIND="ecs", SERVICE="api,web", IMAGE="a:1")
    assert [target.kind for target, _, _ in found] == [Kind.ECS, Kind.ECS]


def test_several_names_share_one_image():
    """SERVICE may hold names with commas and blanks between them."""
    names = [
        target.name for target, _, _ in image_requests(SERVICE="web, api  worker", IMAGE="a:1")
    ]
    assert names == ["web", "api", "worker"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("web", "which has no =image"),
        ("web=", "no image behind the ="),
        ("web/=a:1", "no container behind the /"),
        ("=a:1", "is no name"),
        ("pod:web=a:1", "must be one of service, ecs, lambda, cronjob"),
        ("web=a", "names neither a tag nor a digest"),
        ("web=a:$TAG", "literal text $TAG"),
        ("web=a:1 web=a:1", "names web twice"),
        ("web=a:1 service:web=a:2", "names web with 2 images: a:1, a:2"),
        ("web/log=a:1 web/log=a:2", "names web/log with 2 images"),
    ],
)
def test_what_makes_no_sense_is_refused(entry, message):
    """Every bad entry is refused with the reason."""
    assert message in problems(SERVICES=entry)["SERVICES"]


def test_every_bad_entry_is_told_at_once():
    """One run shows all problems."""
    with pytest.raises(ConfigError) as caught:
        load(BASE | {"SERVICES": "web api= /x=a:1"})
    assert len(caught.value.problems) == 3


def test_services_and_service_exclude_each_other():
    """Saying it twice is a contradiction."""
    found = problems(SERVICES="web=a:1", SERVICE="api", IMAGE="b:2")
    assert set(found) == {"SERVICE", "IMAGE"}


def test_without_services_service_and_image_are_required():
    """The shortest use needs both."""
    assert set(problems()) == {"SERVICE", "IMAGE"}


def test_one_name_twice_is_refused():
    """A name that stands there twice is a mistake somewhere."""
    assert "web" in problems(SERVICE="web api web", IMAGE="a:1")["SERVICE"]


@pytest.mark.parametrize("count", ["two", "-1", "100000", "2.5"])
def test_a_broken_list_is_refused(count):
    """A count that is none is no reason for a traceback."""
    assert "SERVICES_COUNT" in problems(SERVICES_COUNT=count)["SERVICES"]


def test_only_a_rollback_needs_no_image():
    """Going back finds the image by itself."""
    settings = load(BASE | {"ACTION": "rollback", "SERVICES": "web lambda:fn=a:1"})
    assert [request.image == NONE for request in settings.image_requests] == [True, False]
    assert load(BASE | {"ACTION": "rollback", "SERVICE": "web"}).image_requests[0].image == NONE


def test_a_cronjob_cannot_be_restarted():
    """RESTART would do nothing, and nothing is refused silently."""
    assert "cronjob:nightly" in problems(SERVICES="cronjob:nightly=a:1", RESTART="true")["RESTART"]
