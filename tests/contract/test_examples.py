"""Bitbucket and the pipe accept every pipeline that users may copy."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from pipe.settings import Action, load
from pipe.settings.variables import BY_NAME
from tests.contract.documents import ROOT, Pipeline, environ, examples, snippets

PIPELINES = [*examples(), *snippets()]
OURS = [pipeline for pipeline in PIPELINES if pipeline.uses()]
NEWER_THAN_THE_SCHEMA = {"output-variables", "on-fail"}
"""Keys of a step that Bitbucket documents but the schema lacks."""

each_pipeline = pytest.mark.parametrize("pipeline", PIPELINES, ids=str)


def step_keys() -> set[str]:
    """Return the keys of a step. The schema accepts any other key, even a misspelt one."""
    folder = files("check_jsonschema") / "builtin_schemas/vendor"
    definitions = json.loads((folder / "bitbucket-pipelines.json").read_text("utf-8"))[
        "definitions"
    ]
    return {*definitions["step_base"]["properties"], "condition", *NEWER_THAN_THE_SCHEMA}


def test_every_pipeline_is_valid_for_bitbucket(tmp_path: Path) -> None:
    """Each file conforms to the vendor's own schema."""
    paths = [tmp_path / f"{pipeline}.yml" for pipeline in PIPELINES]
    for path, pipeline in zip(paths, PIPELINES, strict=True):
        path.write_text(pipeline.whole, "utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    checked = subprocess.run(
        [*command, "vendor.bitbucket-pipelines", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@each_pipeline
def test_steps_have_only_keys_of_bitbucket(pipeline: Pipeline) -> None:
    """`deploymnet:` would pass the schema and deploy without the environment's lock."""
    for step in pipeline.steps():
        assert set(step) <= step_keys()


@each_pipeline
def test_an_environment_belongs_to_one_step_of_a_pipeline(pipeline: Pipeline) -> None:
    """Bitbucket refuses such a run, although its validator accepts the file."""
    branches = pipeline.content["pipelines"]
    groups = [branches.get("default", []), *(
        steps for kind in ("branches", "tags", "custom", "pull-requests")
        for steps in branches.get(kind, {}).values()
    )]  # fmt: skip
    for steps in groups:
        one = Pipeline(pipeline.source, json.dumps({"pipelines": {"default": steps}}))
        named = [step["deployment"] for step in one.steps() if "deployment" in step]
        assert len(named) == len(set(named))


@pytest.mark.parametrize("pipeline", OURS, ids=str)
def test_every_use_is_accepted_by_the_program(pipeline: Pipeline, tmp_path: Path) -> None:
    """References are filled in and lists numbered as Bitbucket does."""
    for variables in pipeline.uses():
        assert set(variables) <= set(BY_NAME)
        if "'<" in str(variables):
            continue  # the YAML definition, whose values are types
        load(environ(variables, tmp_path))


@pytest.mark.parametrize("pipeline", OURS, ids=str)
def test_a_role_is_only_given_where_the_step_has_an_identity(pipeline: Pipeline) -> None:
    """AWS_OIDC_ROLE_ARN requires `oidc: true`."""
    for step in pipeline.steps():
        for entry in step["script"]:
            if isinstance(entry, dict) and "AWS_OIDC_ROLE_ARN" in entry.get("variables", {}):
                assert step.get("oidc") is True


@pytest.mark.parametrize("pipeline", OURS, ids=str)
def test_bitbucket_does_not_kill_a_step_before_its_own_limits(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """`max-time` holds rollout and rollback, commands and tests, and two minutes for the rest."""
    for step in pipeline.steps():
        for entry in step["script"]:
            if not isinstance(entry, dict) or "bitbucket-deploy-pipe" not in entry["pipe"]:
                continue
            variables = entry.get("variables", {})
            if "max-time" not in step or "DRY_RUN" in variables:
                continue
            settings = load(environ(variables, tmp_path))
            tests = settings.tests
            count = sum(map(bool, (tests.before, tests.after, tests.url)))
            rollouts = 2 if settings.rollback else 1
            commands = settings.tenant_commands
            needed = rollouts * settings.wait_timeout + count * tests.seconds + 120
            if commands.release:
                needed += commands.seconds
            if settings.action is Action.RUN:
                needed = commands.seconds + 120
            if settings.action is not Action.CHECK:
                assert step["max-time"] * 60 >= needed, (str(pipeline), step["name"])


def test_secrets_are_references() -> None:
    """No example contains the value of a secret."""
    secrets = {name for name, variable in BY_NAME.items() if variable.secret}
    for pipeline in OURS:
        for variables in pipeline.uses():
            for name in secrets & set(variables):
                assert variables[name].startswith("$"), (str(pipeline), name)


def test_the_readme_links_every_example() -> None:
    """No file of examples/ is missing."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in (ROOT / "examples").glob("*.yml"):
        assert f"(examples/{path.name})" in readme
