"""Image references."""

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
