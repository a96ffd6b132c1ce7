"""examples/trust-policy: the same policies as JSON, Terraform and CloudFormation."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

import botocore.session
import hcl2
import pytest
import yaml
from botocore import xform_name

from pipe.dependencies import Dependencies
from pipe.run import run
from tests.contract.documents import ROOT, program
from tests.support.fake_clock import FakeClock

FOLDER = ROOT / "examples/trust-policy"
TRUST = json.loads((FOLDER / "json/trust-policy.json").read_text("utf-8"))
PERMISSIONS = json.loads((FOLDER / "json/permissions.json").read_text("utf-8"))
TEMPLATE = FOLDER / "cloudformation/template.yml"

ACCOUNT = "123456789012"
ISSUER = "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc"
ENVIRONMENT = "71a0df89-e645-4f3d-9263-b47fc08192a3"
GIVEN = {
    "workspace": "acme",
    "workspace_uuid": "3d6c9b45-a201-4bf9-9e2f-703b8c4d5e6f",
    "repository_uuid": "4e7dac56-b312-4c0a-af30-814c9d5e6f70",
    "environment_uuid": ENVIRONMENT,
    "role_name": "bitbucket-deploy",
    "token_secret": "deploy/portal-token",
}
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"


class Template(yaml.SafeLoader):
    """CloudFormation's YAML, with its short tags expanded."""


def _short(_: Template, suffix: str, node: Any) -> Any:
    loader = Template("")
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: node.value}
    return {name: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", _short)


class Terraform:
    """main.tf, with its expressions evaluated as far as it uses any."""

    def __init__(self) -> None:
        with (FOLDER / "terraform/main.tf").open(encoding="utf-8") as file:
            self.content = hcl2.load(file)
        self.locals = {
            name: value
            for name, value in _plain(self.content["locals"][0]).items()
            if not name.startswith("__")
        }

    def block(self, kind: str, of: str, name: str) -> Mapping[str, Any]:
        """Return one data source or resource."""
        for entry in _plain(self.content[kind]):
            if of in entry and name in entry[of]:
                found: Mapping[str, Any] = entry[of][name]
                return found
        raise KeyError(name)

    def value(self, expression: str) -> str:
        """Return a string with all its references resolved."""
        known = {
            **{f"var.{name}": value for name, value in GIVEN.items()},
            "aws_iam_openid_connect_provider.bitbucket.arn": PROVIDER,
            "data.aws_caller_identity.this.account_id": ACCOUNT,
            "data.aws_partition.this.partition": "aws",
            # The only conditional; test_the_environment_is_optional_in_terraform checks it.
            "local.prefix": "{" + ENVIRONMENT + "}:",
        }

        def follow(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("local.") and name not in known:
                return self.value(self.locals[name.removeprefix("local.")])
            return known[name]

        return re.sub(r"\$\{([\w.]+)\}", follow, expression)

    def policy(self, name: str) -> Mapping[str, Any]:
        """Return a policy document in IAM's format."""
        statements = self.block("data", "aws_iam_policy_document", name)["statement"]
        return {"Version": "2012-10-17", "Statement": [self._statement(one) for one in statements]}

    def _statement(self, block: Mapping[str, Any]) -> Mapping[str, Any]:
        conditions: dict[str, dict[str, str]] = {}
        for condition in block.get("condition", []):
            (value,) = condition["values"]
            conditions.setdefault(condition["test"], {})[self.value(condition["variable"])] = (
                self.value(value)
            )
        principals = {
            one["type"]: self.value(_only(one["identifiers"]))
            for one in block.get("principals", [])
        }
        parts = {
            "Sid": block.get("sid"),
            "Effect": block["effect"],
            "Principal": principals,
            "Action": _only(block["actions"]),
            "Resource": self.value(_only(block.get("resources", [""]))),
            "Condition": conditions,
        }
        return {name: value for name, value in parts.items() if value}


def _only(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _plain(value: Any) -> Any:
    """Return what python-hcl2 read, without the quotes that it keeps around strings."""
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, str) and re.fullmatch(r'".*"', value, re.DOTALL):
        return value[1:-1]
    return value


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables replaced, as Fn::Sub does."""
    return re.sub(r"\$\{([\w:]+)\}", lambda found: values[found[1]], text)


PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "Bitbucket": PROVIDER,
    "Workspace": GIVEN["workspace"],
    "WorkspaceUuid": GIVEN["workspace_uuid"],
    "RepositoryUuid": GIVEN["repository_uuid"],
    "EnvironmentUuid": GIVEN["environment_uuid"],
    "TokenSecret": GIVEN["token_secret"],
}


def role() -> Mapping[str, Any]:
    """Return the role's properties in the template."""
    content = yaml.load(TEMPLATE.read_text("utf-8"), Template)
    properties: Mapping[str, Any] = content["Resources"]["Deploy"]["Properties"]
    return properties


def test_the_permissions_are_the_operations_that_the_pipe_calls() -> None:
    """Every operation named in the program, and those Docker needs to pull; no others."""
    by_docker = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"}
    texts = {
        node.value
        for tree in program().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    called = {
        f"{service}:{operation}"
        for service in ("ecr", "secretsmanager")
        for operation in botocore.session.get_session().get_service_model(service).operation_names
        if xform_name(operation) in texts
    }
    permitted: set[str] = set()
    for statement in PERMISSIONS["Statement"]:
        actions = statement["Action"]
        permitted |= {actions} if isinstance(actions, str) else set(actions)
    assert permitted == called | by_docker


def test_the_json_is_the_policy_that_the_pipe_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """ACTION: trust-policy runs in a step of the example's workspace, without a token."""
    environ = {
        "ACTION": "trust-policy",
        "AWS_OIDC_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{GIVEN['role_name']}",
        "BITBUCKET_WORKSPACE": GIVEN["workspace"],
        "BITBUCKET_REPO_OWNER_UUID": f"{{{GIVEN['workspace_uuid']}}}",
        "BITBUCKET_REPO_UUID": f"{{{GIVEN['repository_uuid']}}}",
        "BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID": f"{{{ENVIRONMENT}}}",
    }
    assert run(environ, Dependencies(FakeClock())) == 0
    printed, _ = json.JSONDecoder().raw_decode(capfd.readouterr().out)
    assert printed == TRUST


def test_terraform_has_the_same_trust_policy() -> None:
    """The documents are equal."""
    assert Terraform().policy("trust") == TRUST


def test_terraform_has_the_same_permissions() -> None:
    """The documents are equal."""
    assert Terraform().policy("permissions") == PERMISSIONS


def test_the_environment_is_optional_in_terraform() -> None:
    """Without one, the policy trusts every step of the repository."""
    prefix = Terraform().locals["prefix"]
    assert re.sub(r"\s", "", prefix) == (
        '${var.environment_uuid==""?"":"{${var.environment_uuid}}:"}'
    )


def test_terraform_creates_the_provider_of_the_policy() -> None:
    """Issuer and audience are Bitbucket's."""
    terraform = Terraform()
    provider = terraform.block("resource", "aws_iam_openid_connect_provider", "bitbucket")
    assert terraform.value(provider["url"]) == f"https://{ISSUER}"
    (condition,) = TRUST["Statement"][0]["Condition"]["StringEquals"].values()
    assert [terraform.value(one) for one in provider["client_id_list"]] == [condition]


def test_cloudformation_is_valid() -> None:
    """cfn-lint reports neither errors nor warnings."""
    # Loading it takes a second, which otherwise every worker would spend.
    from cfnlint.api import lint_file  # noqa: PLC0415

    assert lint_file(TEMPLATE) == []


def test_cloudformation_has_the_same_trust_policy() -> None:
    """The documents are equal, with the environment and without."""
    text, more = role()["AssumeRolePolicyDocument"]["Fn::Sub"]
    issuer = substitute(more["Issuer"]["Fn::Sub"], PSEUDO)
    condition, bound, otherwise = more["Prefix"]["Fn::If"]
    assert condition == "Bound"
    prefix = substitute(bound["Fn::Sub"], PSEUDO)
    values = {**PSEUDO, "Issuer": issuer, "Prefix": prefix}
    assert json.loads(substitute(text, values)) == TRUST
    assert "{4e7dac56-b312-4c0a-af30-814c9d5e6f70}:*" in substitute(
        text, {**values, "Prefix": otherwise}
    )


def test_cloudformation_has_the_same_permissions() -> None:
    """The documents are equal."""
    (policy,) = role()["Policies"]
    document = policy["PolicyDocument"]
    for statement in document["Statement"]:
        if isinstance(statement["Resource"], dict):
            statement["Resource"] = substitute(statement["Resource"]["Fn::Sub"], PSEUDO)
    assert document == PERMISSIONS
