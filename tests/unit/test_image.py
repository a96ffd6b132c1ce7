"""Image references."""

import re
import subprocess
import sys
from itertools import product

import pytest

from pipe import image
from pipe.image import Image, ImageError

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx:1.27", ("", "nginx", "1.27", "")),
        ("team/web:1.4.2", ("", "team/web", "1.4.2", "")),
        ("localhost:5000/web:1", ("localhost:5000", "web", "1", "")),
        ("localhost/web:1", ("localhost", "web", "1", "")),
        ("example.com/a/b_c/d-e.f:v1", ("example.com", "a/b_c/d-e.f", "v1", "")),
        (f"team/web@{DIGEST}", ("", "team/web", "", DIGEST)),
        (f"team/web:1@{DIGEST}", ("", "team/web", "1", DIGEST)),
        ("[::1]:5000/web:1", ("[::1]:5000", "web", "1", "")),
        (
            "111122223333.dkr.ecr.us-west-2.amazonaws.com/web:1",
            ("111122223333.dkr.ecr.us-west-2.amazonaws.com", "web", "1", ""),
        ),
    ],
)
def test_a_parsed_reference_prints_unchanged(text: str, parts: tuple[str, ...]) -> None:
    """Parsing splits what printing joins."""
    assert image.parse(text) == Image(*parts)
    assert str(image.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither a tag"),
        ("nginx", "neither a tag"),
        ("nginx:", "nothing after the colon"),
        (":1.2", "no repository"),
        ("Team/web:1", "capital letters"),
        ("team//web:1", "not allowed in a repository"),
        ("team/web:a b", "not allowed in a tag"),
        ("team/web:" + "a" * 129, "not allowed in a tag"),
        ("team/web@sha256:abc", "digest"),
        ("team/web@", "digest"),
        ("-x.com/web:1", "not a host name"),
        ("a" * 256 + ":1", "not allowed in a repository"),
        ("team/web:1\n", "not allowed in a tag"),
        ("team/wéb:1", "not allowed in a repository"),
    ],
)
def test_an_invalid_reference_is_explained(text: str, why: str) -> None:
    """The reason completes a sentence that begins with the variable."""
    with pytest.raises(ImageError, match=why):
        image.parse(text)


@pytest.mark.parametrize(
    ("wanted", "actual", "same"),
    [
        ("nginx:1", "docker.io/library/nginx:1", True),
        ("docker.io/team/web:1", "team/web:1", True),
        ("library/nginx:1", "nginx:1", True),
        ("nginx:1", "nginx:2", False),
        ("nginx:1", "other.io/nginx:1", False),
        (f"team/web@{DIGEST}", f"docker.io/team/web:1@{DIGEST}", True),
        (f"team/web:2@{DIGEST}", f"team/web:1@{DIGEST}", True),
        (f"team/web@{DIGEST}", "team/web:1", False),
        (f"host:5000/web:1@{DIGEST}", f"host:5000/web@{DIGEST}", True),
        ("team/web:1", f"team/web:1@{DIGEST}", False),
        ("team/web:1", "", False),
    ],
)
def test_equivalent_references_are_the_same_image(wanted: str, actual: str, same: bool) -> None:
    """Canonical prefixes do not matter, and a wanted digest decides."""
    assert image.same(wanted, actual) is same


# As in the grammar; exponential, because a run of letters is also several parts without a dot.
GRAMMAR = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.?)+(?::[0-9]+)?")


@pytest.mark.parametrize("length", range(1, 7))
def test_a_registry_is_what_the_grammar_calls_one(length: int) -> None:
    """Every short text of the characters that matter is accepted or refused alike."""
    for characters in product("aZ-.:0_"[: 7 if length < 6 else 4], repeat=length):
        # The part after the slash makes it a reference, the dot or colon a registry.
        host = "".join(characters)
        if "." not in host and ":" not in host:
            continue
        try:
            accepted = image.parse(f"{host}/web:1").registry == host
        except ImageError:
            accepted = False
        assert accepted is bool(GRAMMAR.fullmatch(host)), host


@pytest.mark.parametrize("part", ["a", "a-", "a.", "a-a.", "1"])
def test_a_long_invalid_host_is_refused_at_once(part: str) -> None:
    """In another process, because a pattern that takes years cannot be interrupted."""
    program = """import sys
from pipe import image
try:
    image.parse(sys.argv[1] * 20_000 + "_.example/web:1")
except image.ImageError:
    print("refused")
"""
    command = [sys.executable, "-c", program, part]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "refused\n"
