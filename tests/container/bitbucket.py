"""The `docker run` command and the environment that Bitbucket gives a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sandbox import Server
from tests.support.environment import environment
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
    "PIPELINES_JWT_TOKEN": "internal-token-that-must-stay-hidden",
}

USERS = ("0:0", "12345:12345")
# The least a step provides: little memory, and nothing writable but the clone folder.
STRICT = ("--read-only", "--memory=512m")


@dataclass(frozen=True)
class ContainerResult:
    """Exit code and output of one container, and the clone folder it left."""

    code: int
    out: str
    err: str
    clone: Path

    @property
    def text(self) -> str:
        """Both streams, which the step's log shows."""
        return self.out + self.err

    @property
    def result(self) -> str:
        """The last line of standard output, where the toolkit prints the result."""
        return self.out.rstrip().rpartition("\n")[2]

    def left_behind(self, name: str) -> Path:
        """Return the path of a file in the pipe's storage folder."""
        return self.clone / Path(OWN_STORAGE).relative_to(CLONE) / name

    def record(self) -> Any:
        """Return the content of deploy.json."""
        return json.loads(self.left_behind("deploy.json").read_text())


@dataclass(frozen=True)
class Agent:
    """A step's clone and SSH folders on this machine, and the image to run."""

    image: str
    folder: Path
    container: str = ""
    """A container of the image that is running, which starts commands faster than a new one."""

    @property
    def clone(self) -> Path:
        """The clone folder, by its path on this machine."""
        return self.folder / "build"

    def prepare(self) -> Agent:
        """Create the folders with access for every user, as Bitbucket does."""
        for folder in (self.clone, self.folder / "ssh"):
            folder.mkdir(parents=True)
            folder.chmod(0o777)
        return self

    def clear(self) -> None:
        """Remove the folders, including files that belong to other users."""
        try:
            shutil.rmtree(self.folder)
        except PermissionError:
            self.shell("rm -rf /all/*", [f"--volume={self.folder}:/all"])
            self.folder.rmdir()

    def run(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> ContainerResult:
        """Run the pipe in a step, with these additional options of `docker run`."""
        return self._run(self.command(variables, options))

    def bare(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> ContainerResult:
        """Run the pipe by hand, with only the clone folder and the variables."""
        mounted = [f"--volume={self.clone}:/work", "--workdir=/work", *options]
        return self._run(docker_run(self.image, variables, mounted))

    def command(self, variables: Mapping[str, str], options: Iterable[str] = ()) -> list[str]:
        """Return the command that Bitbucket runs in a step."""
        of_bitbucket = [
            f"--volume={self.clone}:{CLONE}",
            f"--volume={self.folder / 'ssh'}:{AGENT}/ssh:ro",
            f"--workdir={CLONE}",
            "--label=org.bitbucket.pipelines.system=true",
        ]
        return docker_run(self.image, {**STEP, **variables}, [*of_bitbucket, *options])

    def _run(self, line: list[str]) -> ContainerResult:
        done = self.docker(*line[1:])
        watch(done.stdout + done.stderr)
        return ContainerResult(done.returncode, done.stdout, done.stderr, self.clone)

    def python(self, code: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run Python code in the image, isolated like the pipe."""
        return self._start("python3", "-I", "-c", code, options=options)

    def shell(self, code: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run shell code in the image."""
        return self._start("sh", "-c", code, options=options)

    def _start(
        self, program: str, *arguments: str, options: Iterable[str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program, in a container of its own if that needs options of `docker run`."""
        if self.container and not options:
            return self.docker("exec", self.container, program, *arguments)
        chosen = [*options, f"--entrypoint={program}", self.image]
        return self.docker("run", "--rm", *chosen, *arguments)

    @staticmethod
    def docker(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of the Docker client, for two minutes by default."""
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )


def docker_run(image: str, variables: Mapping[str, str], options: Iterable[str]) -> list[str]:
    """Return a `docker run` command that reaches this machine as `host.docker.internal`."""
    environment = [f"--env={name}={value}" for name, value in variables.items()]
    host = f"--add-host={HOST}:{gateway()}"
    return ["docker", "run", "--rm", host, *options, *environment, image]


def gateway() -> str:
    """Return this machine's address for containers: Bitbucket's in a step, else Docker's name."""
    return os.environ.get("BITBUCKET_DOCKER_HOST_INTERNAL") or "host-gateway"


def variables(server: Server, **more: str) -> dict[str, str]:
    """Return the variables that deploy `web` from inside a container, and `more`."""
    scheme = server.url.partition(":")[0]
    url = f"{scheme}://{HOST}:{server.port}"
    return environment(url, server.world.token, STABLE_SECONDS="0") | more
