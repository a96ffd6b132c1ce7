"""Image references: `registry/repository:tag@digest`, parsed strictly and compared loosely.

The grammar is that of the distribution project's reference package. Pods may have the canonical
form of the service's image (`docker.io/library/nginx:1` for `nginx:1`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# Labels are separated by dots, and letters from hyphens, so that each text matches in one way only:
# the pattern is as slow as the text is long.
_LABEL = r"[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-fA-F:]+\]"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REGISTRY = re.compile(rf"(?:{_DOMAIN})(?::[0-9]+)?")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_REPOSITORY = 255
_DEFAULT_PREFIXES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


class ImageError(ValueError):
    """A text is not an image reference; the message continues a sentence about it."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image reference; `registry`, `tag` and `digest` are empty when not given."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def may_move(self) -> bool:
        """Whether its tag has no digit, such as latest: one that is usually moved."""
        return bool(self.tag) and not self.digest and not any(map(str.isdigit, self.tag))

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        tagged = f"{name}:{self.tag}" if self.tag else name
        return f"{tagged}@{self.digest}" if self.digest else tagged


NONE = Image("", "", "", "")
"""No image was given."""


def parse(text: str) -> Image:
    """Parse a reference with a tag or a digest; raise `ImageError` with the reason."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ImageError("has no valid digest after @; expected sha256: and 64 hex digits")
    registry, rest = _split_registry(rest)
    repository, colon, tag = rest.partition(":")
    if colon and not tag:
        raise ImageError("has nothing after the colon: the variable that gives the tag is empty")
    if colon and not _TAG.fullmatch(tag):
        raise ImageError(f'has the tag "{tag}", which contains characters not allowed in a tag')
    if not colon and not at:
        raise ImageError("names neither a tag nor a digest")
    if len(repository) > _LONGEST_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        raise ImageError(_repository_error(repository))
    return Image(registry, repository, tag, digest)


def parse_deployed(text: str) -> Image:
    """Parse a reference as a platform may hold it: `latest` where it has no tag."""
    last = text.rpartition("/")[2]
    return parse(text if ":" in last or "@" in last else f"{text}:latest")


def is_deployable(text: str) -> bool:
    """Return whether a platform can have this text as an image; `***` makes it a fragment."""
    try:
        parse_deployed(text)
    except ImageError:
        return False
    return True


def normalise(text: str) -> str:
    """Return the shortest form of a reference, for comparison; any text is accepted."""
    for prefix in _DEFAULT_PREFIXES:
        text = text.removeprefix(prefix)
    return text.removeprefix("library/")


@lru_cache(maxsize=8192)
def same(wanted: str, actual: str) -> bool:
    """Return whether `actual`, of a pod or service, is the image `wanted`.

    A digest in `wanted` decides, and its tag is ignored.
    """
    wanted, actual = normalise(wanted), normalise(actual)
    if "@" not in wanted:
        return wanted == actual
    return _without_tag(wanted) == _without_tag(actual)


def digest(text: str) -> str:
    """Return the digest in a reference, empty without one."""
    candidate = text.rpartition("@")[2]
    return candidate if _DIGEST.fullmatch(candidate) else ""


def version(text: str) -> str:
    """Return the digest in a reference, else its tag: what one version of an image has alone."""
    last = text.rpartition("/")[2]
    return digest(text) or last.partition(":")[2] or "latest"


def is_tag(text: str) -> bool:
    """Return whether a text is a valid tag."""
    return bool(_TAG.fullmatch(text))


def is_digest(text: str) -> bool:
    """Return whether a text is a digest, and nothing else."""
    return bool(_DIGEST.fullmatch(text))


def _without_tag(text: str) -> str:
    name, _, digest = text.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost"
    if slash and looks_like_host:
        if not _REGISTRY.fullmatch(first):
            raise ImageError(f'has the registry "{first}", which is not a host name')
        return first, rest
    return "", text


def _repository_error(repository: str) -> str:
    if not repository:
        return "has no repository name: the variable that gives it is empty"
    if repository != repository.lower():
        return f'has capital letters in the repository "{repository}"; expected lower case only'
    return (
        f'has the repository "{repository}", which contains characters not allowed in a repository'
    )
