"""Every pipeline that users may copy is one that Bitbucket and the pipe accept."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from pipe.settings import load
from pipe.settings.variables import BY_NAME
from tests.contract.documents import ROOT, Pipeline, environ, examples, snippets

PIPELINES = [*examples(), *snippets()]
OURS = [pipeline for pipeline in PIPELINES if pipeline.uses()]
NEWER_THAN_THE_SCHEMA = {"output-variables"}
"""Keys of a step that Bitbucket documents and the schema does not have yet."""

wherever = pytest.mark.parametrize("pipeline", PIPELINES, ids=str)


def step_keys() -> set[str]:
    """What a step may hold. The schema lets every other key pass, a misspelt one too."""
    folder = files("check_jsonschema") / "builtin_schemas/vendor"
    definitions = json.loads((folder / "bitbucket-pipelines.json").read_text("utf-8"))[
        "definitions"
    ]
    return {*definitions["step_base"]["properties"], "condition", *NEWER_THAN_THE_SCHEMA}


def test_every_pipeline_is_valid_for_bitbucket(tmp_path: Path) -> None:
    """Against the vendor's own schema."""
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


@wherever
def test_every_key_of_a_step_is_one_that_bitbucket_knows(pipeline: Pipeline) -> None:
    """`deploymnet:` would pass the schema, and deploy without the environment's lock."""
    for step in pipeline.steps():
        assert set(step) <= step_keys()


@wherever
def test_an_environment_belongs_to_one_step_of_a_pipeline(pipeline: Pipeline) -> None:
    """Bitbucket refuses the run otherwise, and its validator does not say so beforehand."""
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
    """With references filled in and lists numbered as Bitbucket does."""
    for variables in pipeline.uses():
        assert set(variables) <= set(BY_NAME)
        if "'<" in str(variables):
            continue  # the YAML definition, which holds types
        load(environ(variables, tmp_path))


@pytest.mark.parametrize("pipeline", OURS, ids=str)
def test_a_role_is_only_given_where_the_step_has_an_identity(pipeline: Pipeline) -> None:
    """`oidc: true` and AWS_OIDC_ROLE_ARN need each other."""
    for step in pipeline.steps():
        for entry in step["script"]:
            if isinstance(entry, dict) and "AWS_OIDC_ROLE_ARN" in entry.get("variables", {}):
                assert step.get("oidc") is True


def test_no_secret_is_written_out() -> None:
    """Secrets are references everywhere."""
    secrets = {name for name, variable in BY_NAME.items() if variable.secret}
    for pipeline in OURS:
        for variables in pipeline.uses():
            for name in secrets & set(variables):
                assert variables[name].startswith("$"), (str(pipeline), name)


def test_every_example_stands_in_the_readme() -> None:
    """And none that is not there."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in (ROOT / "examples").glob("*.yml"):
        assert f"(examples/{path.name})" in readme
