"""What a run is asked to do, as types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipe.image import Image
from pipe.model import Target
from pipe.secret import Secret


class Action(StrEnum):
    """What the run is for."""

    DEPLOY = "deploy"
    CHECK = "check"
    ROLLBACK = "rollback"
    TRUST_POLICY = "trust-policy"


@dataclass(frozen=True)
class Wish:
    """One target and the image it is to run; `container` is empty for the main one.

    `image` may be `pipe.image.NONE` for a rollback only, which finds out by itself.
    """

    target: Target
    image: Image
    container: str = ""


@dataclass(frozen=True)
class Proxies:
    """The way out, where there is one; localhost never goes through it."""

    http: str = ""
    https: str = ""
    exempt: str = ""


@dataclass(frozen=True)
class Step:
    """What Bitbucket says of the step by itself; every field is empty in a local run."""

    workspace: str
    repository: str
    build_number: str
    run_number: str
    commit: str
    branch: str
    tag: str
    deployment: str
    pipeline: str
    step: str
    clone_dir: Path


@dataclass(frozen=True)
class Settings:
    """Everything the variables say, checked and typed. Durations are seconds."""

    host: str
    token: Secret
    tenant: str
    wishes: tuple[Wish, ...]
    action: Action
    wait: bool
    wait_timeout: float
    stable_seconds: float
    rollback: bool
    restart: bool
    dry_run: bool
    debug: bool
    report_dir: Path | None
    ca_cert: str
    proxies: Proxies
    step: Step
