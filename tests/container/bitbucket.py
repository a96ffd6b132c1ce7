"""The `docker run` line and the environment that Bitbucket gives a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.transcript import watch

AGENT = "/opt/atlassian/pipelines/agent"
CLONE = f"{AGENT}/build"
STORAGE = f"{CLONE}/.bitbucket/pipelines/generated/pipeline/pipes"
OWN_STORAGE = f"{STORAGE}/nholuongut/bitbucket-deploy-pipe"
HOST = "host.docker.internal"

STEP = {
    "BITBUCKET_BUILD_NUMBER": "42",
    "BITBUCKET_CLONE_DIR": CLONE,
    "BITBUCKET_COMMIT": "8f5d0a9c7e3b4d6f1a2b3c4d5e6f708192a3b4c5",
    "BITBUCKET_DOCKER_HOST_INTERNAL": "10.36.133.61",
    "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/acme/shop",
    "BITBUCKET_GIT_SSH_ORIGIN": "git@bitbucket.org:acme/shop.git",
    "BITBUCKET_PIPELINES_VARIABLES_PATH": f"{AGENT}/tmp/pipelines_variables",
    "BITBUCKET_PIPELINE_UUID": "{1de4c1c5-7a3e-4f25-a3b2-0d6c0e1f9a11}",
    "BITBUCKET_PIPE_SHARED_STORAGE_DIR": STORAGE,
    "BITBUCKET_PIPE_STORAGE_DIR": OWN_STORAGE,
    "BITBUCKET_PROJECT_KEY": "SHOP",
    "BITBUCKET_PROJECT_UUID": "{2c5b8a34-91f0-4ae8-8d1e-6f2a7b3c4d5e}",
    "BITBUCKET_REPO_FULL_NAME": "acme/shop",
    "BITBUCKET_REPO_IS_PRIVATE": "true",
    "BITBUCKET_REPO_OWNER": "acme",
    "BITBUCKET_REPO_OWNER_UUID": "{3d6c9b45-a201-4bf9-9e2f-703b8c4d5e6f}",
    "BITBUCKET_REPO_SLUG": "shop",
    "BITBUCKET_REPO_UUID": "{4e7dac56-b312-4c0a-af30-814c9d5e6f70}",
    "BITBUCKET_SSH_KEY_FILE": f"{AGENT}/ssh/id_rsa",
    "BITBUCKET_STEP_RUN_NUMBER": "1",
    "BITBUCKET_STEP_TRIGGERER_UUID": "{5f8ebd67-c423-4d1b-b041-925dae6f7081}",
    "BITBUCKET_STEP_UUID": "{609fce78-d534-4e2c-8152-a36ebf708192}",
    "BITBUCKET_TAG": "1.5.0",  # and so no BITBUCKET_BRANCH
    "BITBUCKET_WORKSPACE": "acme",
    "CI": "true",
    "DOCKER_HOST": f"tcp://{HOST}:2375",
    "PIPELINES_JWT_TOKEN": "internal-token-that-nobody-may-see",
}


@dataclass(frozen=True)
class Run:
    """What came out of one container."""

    code: int
    out: str
    err: str
    clone: Path

    @property
    def text(self) -> str:
        """Both streams, as the step's log shows them."""
        return self.out + self.err

    @property
    def result(self) -> str:
        """The last line: the toolkit prints it on standard output, the log is on the other."""
        return self.out.rstrip().rpartition("\n")[2]

    def left_behind(self, name: str) -> Path:
        """A file that the pipe wrote to its storage folder."""
        return self.clone / Path(OWN_STORAGE).relative_to(CLONE) / name

    def record(self) -> dict:
        """The machine-readable record of the run."""
        return json.loads(self.left_behind("deploy.json").read_text())


@dataclass(frozen=True)
class Agent:
    """A step's clone and SSH folders on this machine, and the image to run."""

    image: str
    folder: Path

    @property
    def clone(self) -> Path:
        """The folder that the pipe sees as its clone folder."""
        return self.folder / "build"

    def prepare(self) -> Agent:
        """The folders as the clone stage leaves them: open to every user."""
        for folder in (self.clone, self.folder / "ssh"):
            folder.mkdir(parents=True)
            folder.chmod(0o777)
        return self

    def clear(self) -> None:
        """Remove the folders, with what containers of any user wrote there."""
        try:
            shutil.rmtree(self.folder)
        except PermissionError:
            self.shell("rm -rf /all/*", [f"--volume={self.folder}:/all"])
            self.folder.rmdir()

    def run(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> Run:
        """Run the pipe in a step; `options` are further ones of `docker run`."""
        return self._run(self.command(variables, options))

    def bare(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> Run:
        """Run the pipe as a person does, with no more than the clone folder and the variables."""
        mounted = [f"--volume={self.clone}:/work", "--workdir=/work", *options]
        return self._run(docker_run(self.image, variables, mounted))

    def command(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> list[str]:
        """The line that Bitbucket runs in a step."""
        of_bitbucket = [
            f"--volume={self.clone}:{CLONE}",
            f"--volume={self.folder / 'ssh'}:{AGENT}/ssh:ro",
            f"--workdir={CLONE}",
            "--label=org.bitbucket.pipelines.system=true",
        ]
        return docker_run(self.image, {**STEP, **variables}, [*of_bitbucket, *options])

    def _run(self, line: list[str]) -> Run:
        done = self.docker(*line[1:])
        watch(done.stdout + done.stderr)
        return Run(done.returncode, done.stdout, done.stderr, self.clone)

    def python(self, code: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a piece of Python in the image, isolated as the pipe is."""
        options = [*options, "--entrypoint=python3"]
        return self.docker("run", "--rm", *options, self.image, "-I", "-c", code)

    def shell(self, code: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a piece of shell in the image."""
        return self.docker("run", "--rm", *options, "--entrypoint=sh", self.image, "-c", code)

    @staticmethod
    def docker(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Call the Docker client; two minutes are more than most things here take."""
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )


def docker_run(image: str, variables: Mapping[str, str], options: Iterable[str]) -> list[str]:
    """A `docker run` that reaches this machine as `host.docker.internal`."""
    environment = [f"--env={name}={value}" for name, value in variables.items()]
    host = f"--add-host={HOST}:{gateway()}"
    return ["docker", "run", "--rm", host, *options, *environment, image]


def gateway() -> str:
    """How a container reaches this machine: in a Bitbucket step it is told, elsewhere Docker is."""
    return os.environ.get("BITBUCKET_DOCKER_HOST_INTERNAL") or "host-gateway"
