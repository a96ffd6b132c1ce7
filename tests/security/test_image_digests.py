"""Registries that return another image than the one requested."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from pipe.preflight.result import passed
from tests.support.harness import Harness, RunResult
from tests.support.scripted_adapter import Response, Scripted

NAME = "registry.example/team/web"
WANTED = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
MANIFEST = '{"schemaVersion": 2}'
HASH = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
TAG = "1.4.2"


def scripted(harness: Harness, which: str, responses: Mapping[str, Response]) -> Scripted:
    """Have the registry respond by method to requests for one manifest."""
    path = f"/v2/team/web/manifests/{which}"
    adapter = Scripted({f"{method} {path}": reply for method, reply in responses.items()})
    harness.hosts["registry.example"] = adapter
    harness.web()
    return adapter


def refused(harness: Harness, image: str, **variables: str) -> RunResult:
    """Deploy an image; check that the run refuses it and changes nothing."""
    result = harness.deploy(image, **variables)
    assert result.code == 5, result.text
    assert harness.world.write_attempts() == []
    assert harness.world.service("web").image == "team/web:1.4.1"
    return result


def states(digest: str, body: str = "") -> Response:
    """Return a response whose header states a digest."""
    return 200, {"Docker-Content-Digest": digest}, body


@pytest.mark.parametrize(
    "variables",
    [{}, {"VERIFY_IMAGE": "true"}, {"PIN_DIGEST": "true"}],
    ids=str,
)
@pytest.mark.parametrize(
    ("responses", "digest"),
    [
        ({"HEAD": states(OTHER)}, OTHER),
        ({"HEAD": (200, {}, ""), "GET": (200, {}, MANIFEST)}, HASH),
        ({"HEAD": (200, {}, ""), "GET": states(HASH, MANIFEST)}, HASH),
        ({"HEAD": (405, {}, ""), "GET": (200, {}, MANIFEST)}, HASH),
    ],
    ids=["header", "content", "both", "without-head"],
)
def test_a_requested_digest_is_never_replaced(
    harness: Harness, responses: Mapping[str, Response], digest: str, variables: dict[str, str]
) -> None:
    """Exit 5 names the requested digest and the registry's, whatever the variables."""
    scripted(harness, WANTED, responses)
    result = refused(harness, f"{NAME}@{WANTED}", **variables)
    assert f"The registry returned another image for {NAME}@{WANTED}" in result.stdout
    assert f"its digest is {digest}, expected {WANTED}" in result.stdout
    assert "Correct the digest in IMAGE" in result.log


def test_the_check_refuses_a_replaced_digest(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ACTION: check` reports the image as failed."""
    # The check of the connection opens a socket of its own, and there is no such host.
    reached = passed("connection", "reached")
    monkeypatch.setattr("pipe.preflight.checker.check_connection", lambda *_: reached)
    scripted(harness, WANTED, {"HEAD": states(OTHER)})
    result = harness.deploy(f"{NAME}@{WANTED}", ACTION="check")
    assert f"[failed] image: The registry returned another image for {NAME}@{WANTED}" in result.log


@pytest.mark.parametrize("stated", [OTHER, "sha512:" + "0" * 128, "latest"])
def test_a_digest_is_not_pinned_unless_it_is_the_contents_hash(
    harness: Harness, stated: str
) -> None:
    """A header that differs from the hash of the manifest is refused."""
    scripted(harness, TAG, {"HEAD": states(OTHER), "GET": states(stated, MANIFEST)})
    result = refused(harness, f"{NAME}:{TAG}", PIN_DIGEST="true")
    assert "could not be verified, which PIN_DIGEST: 'true' requires" in result.stdout
    assert f"states the digest {stated} for a manifest whose digest is {HASH}" in result.stdout


@pytest.mark.parametrize("headers", [{}, {"Docker-Content-Digest": HASH}], ids=["none", "same"])
def test_the_pinned_digest_is_the_contents_hash(
    harness: Harness, headers: Mapping[str, str]
) -> None:
    """One GET is enough, and HEAD is not asked for a digest."""
    adapter = scripted(harness, TAG, {"HEAD": states(OTHER), "GET": (200, headers, MANIFEST)})
    result = harness.deploy(f"{NAME}:{TAG}", PIN_DIGEST="true")
    assert result.code == 0, result.text
    assert harness.world.service("web").image == f"{NAME}@{HASH}"
    assert result.report["targets"][0]["digest"] == HASH
    assert [request.method for request in adapter.requests] == ["GET"]


@pytest.mark.parametrize(("which", "sign"), [(TAG, ":"), (WANTED, "@")], ids=["tag", "digest"])
def test_one_head_request_proves_that_an_image_exists(
    harness: Harness, which: str, sign: str
) -> None:
    """Docker Hub does not count it as a pull; what is deployed is what was requested."""
    adapter = scripted(harness, which, {"HEAD": states(WANTED)})
    image = f"{NAME}{sign}{which}"
    result = harness.deploy(image, VERIFY_IMAGE="true")
    assert result.code == 0, result.text
    assert harness.world.service("web").image == image
    assert [request.method for request in adapter.requests] == ["HEAD"]
