"""Image references: `registry/repository:tag@digest`, read strictly and compared loosely.

The grammar is that of the distribution project's reference package. Pods may show the
canonical form of what the service was given (`docker.io/library/nginx:1` for `nginx:1`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.?)+|\[[0-9a-fA-F:]+\]"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REGISTRY = re.compile(rf"(?:{_DOMAIN})(?::[0-9]+)?")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_REPOSITORY = 255
_DEFAULT_PREFIXES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


class ImageError(ValueError):
    """Why a text is no image reference, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image reference; `registry`, `tag` and `digest` are empty when not given."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        tagged = f"{name}:{self.tag}" if self.tag else name
        return f"{tagged}@{self.digest}" if self.digest else tagged


NONE = Image("", "", "", "")
"""No image: nothing was given."""


def parse(text: str) -> Image:
    """Read a reference that names a tag or a digest; raises `ImageError` with the reason."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ImageError("has no valid digest after @; expected sha256: and 64 hex digits")
    registry, rest = _split_registry(rest)
    repository, colon, tag = rest.partition(":")
    if colon and not tag:
        raise ImageError("has nothing after the colon: the variable that gives the tag is empty")
    if colon and not _TAG.fullmatch(tag):
        raise ImageError(f'has the tag "{tag}", which holds characters no tag may have')
    if not colon and not at:
        raise ImageError("names neither a tag nor a digest")
    if len(repository) > _LONGEST_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        raise ImageError(_why_no_repository(repository))
    return Image(registry, repository, tag, digest)


def normalise(text: str) -> str:
    """The shortest text that means the same image, for comparing; never fails."""
    for prefix in _DEFAULT_PREFIXES:
        text = text.removeprefix(prefix)
    return text.removeprefix("library/")


@lru_cache(maxsize=8192)
def same(wanted: str, seen: str) -> bool:
    """Whether a pod or service that shows `seen` has what `wanted` asks for.

    With a digest in `wanted` the digest decides and the tag is ignored: it is only a comment.
    """
    wanted, seen = normalise(wanted), normalise(seen)
    if "@" not in wanted:
        return wanted == seen
    return _without_tag(wanted) == _without_tag(seen)


def digest(text: str) -> str:
    """The digest that a reference names, empty when it names none."""
    found = text.rpartition("@")[2]
    return found if _DIGEST.fullmatch(found) else ""


def _without_tag(text: str) -> str:
    name, _, digest = text.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost"
    if slash and looks_like_host:
        if not _REGISTRY.fullmatch(first):
            raise ImageError(f'has the registry "{first}", which is no host name')
        return first, rest
    return "", text


def _why_no_repository(repository: str) -> str:
    if not repository:
        return "has no repository name: the variable that gives it is empty"
    if repository != repository.lower():
        return f'has capital letters in the repository "{repository}"; only small ones are allowed'
    return f'has the repository "{repository}", which holds characters no repository may have'
