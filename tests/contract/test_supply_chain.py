"""What goes into the image and into our pipelines is exact, and Renovate keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.contract.documents import ROOT
from tests.support.docker import BASE_IMAGE

RENOVATE = json.loads((ROOT / "renovate.json").read_text("utf-8"))
PIPELINES = (ROOT / "bitbucket-pipelines.yml", *sorted(ROOT.glob("examples/*.yml")))
DOCUMENTS = (*PIPELINES, ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
OWN = "nholuongut/bitbucket-deploy-pipe"

# The lines that Renovate's manager for Bitbucket Pipelines finds; others it leaves alone.
FOUND_PIPE = re.compile(r"""^\s*-\s?pipe:\s*'?"?([^\s'"]+)'?"?\s*$""", re.MULTILINE)
FOUND_IMAGE = re.compile(r"""^\s*-?\s?image:\s*'?"?([^\s'"]+)'?"?\s*$""", re.MULTILINE)
EXACT = re.compile(
    r"[a-z0-9./-]+:(?:\d+\.\d+\.\d+|\d+\.20\d{6})(?:-[a-z0-9.-]+)?(?:@sha256:[0-9a-f]{64})?"
)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_pipes_and_images_have_exact_versions(path: Path) -> None:
    """No tag that moves: a run next month uses what was tested."""
    text = path.read_text("utf-8")
    references = FOUND_PIPE.findall(text) + FOUND_IMAGE.findall(text)
    assert references
    for reference in references:
        assert EXACT.fullmatch(reference.removeprefix("docker://")), reference


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_renovate_finds_every_pipe_and_image(path: Path) -> None:
    """It reads line by line, and misses a pipe below an anchor."""
    text = path.read_text("utf-8")
    keys = re.findall(r"^\s*(?:- )?(?:&\w+ )?(?:pipe|image):", text, re.MULTILINE)
    assert len(keys) == len(FOUND_PIPE.findall(text)) + len(FOUND_IMAGE.findall(text))


def test_renovate_reads_the_examples() -> None:
    """Its own pattern covers bitbucket-pipelines.yml only."""
    (pattern,) = RENOVATE["bitbucket-pipelines"]["managerFilePatterns"]
    assert pattern.startswith("/")
    assert pattern.endswith("/")
    for path in PIPELINES[1:]:
        assert re.search(pattern[1:-1], path.relative_to(ROOT).as_posix())


def test_the_documents_use_the_images_of_the_examples() -> None:
    """Renovate does not read documents, so a stale version in them fails here."""
    used = {
        image
        for path in DOCUMENTS
        for image in re.findall(r"atlassian/default-image:\S+", path.read_text("utf-8"))
    }
    assert len(used) == 1


def test_renovate_pins_the_base_image_by_digest() -> None:
    """It resolves an ARG before the first FROM only if FROM is nothing but this argument."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    instructions = re.findall(r"^(ARG|FROM|COPY --from=\S+) ?(.*)$", text, re.MULTILINE)
    assert instructions[0] == ("ARG", f"BASE={BASE_IMAGE}")
    assert instructions[1] == ("FROM", "${BASE} AS build")
    others = [image for name, image in instructions[2:] if name == "FROM"]
    assert others == ["scratch"]
    assert "docker:pinDigests" in RENOVATE["extends"]
    assert re.fullmatch(r"python:3\.\d+(?:\.\d+)?-slim-\w+(?:@sha256:[0-9a-f]{64})?", BASE_IMAGE)


def test_no_rule_of_renovate_keeps_the_base_image_from_its_digest() -> None:
    """A rule that turns pinning or updates off is for examples, or for this pipe's own version."""
    for rule in RENOVATE["packageRules"]:
        if rule.get("pinDigests") is False:
            assert rule["matchFileNames"] == ["examples/**"]
        if rule.get("enabled") is False:
            assert rule["matchPackageNames"] == [OWN]
    waits = [rule for rule in RENOVATE["packageRules"] if "minimumReleaseAge" in rule]
    assert waits[-1]["minimumReleaseAge"] is None, "rebuilds come more often than every week"
    assert "digest" in waits[-1]["matchUpdateTypes"]


def test_everything_that_is_installed_into_the_image_is_pinned_by_hash() -> None:
    """Except Debian's packages, which Debian signs and of which it keeps one version."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert text.count("pip install") == text.count("--require-hashes") == 1
    assert "curl" not in text
    assert "ADD " not in text
    pins = re.findall(r"^\S+==\S+.*$", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert pins
    assert all(pin.endswith("\\") for pin in pins), "a hash follows"
