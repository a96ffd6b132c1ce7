"""The job that runs a command beside a target: what it takes over, and what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.errors import ConfigError
from pipe.jobs.body import build, check
from pipe.jobs.model import TenantCommand
from pipe.jobs.naming import JobName
from pipe.kind import Kind
from pipe.kinds.cronjob import present
from pipe.model import MAIN, Snapshot, Target
from pipe.portal import CronJob
from pipe.portal.job_body import JobBody
from tests.support.service_looks import NEW
from tests.support.tenant_commands import STEP, command

PASCAL = {
    "Env": [
        {"Name": "A", "Value": "1"},
        {"Name": "B", "ValueFrom": {"SecretKeyRef": {"Name": "db", "Key": "url"}}},
    ],
    "EnvFrom": [
        {"SecretRef": {"Name": "app"}},
        {"ConfigMapRef": {"Name": "more", "Optional": True}},
    ],
    "Volumes": [
        {"Name": "certs", "Secret": {"SecretName": "tls", "Items": [{"Key": "k", "Path": "p"}]}}
    ],
    "VolumesMounts": [{"Name": "certs", "MountPath": "/certs", "ReadOnly": True, "SubPath": "a"}],
    "Resources": {"Limits": {"memory": "1Gi"}, "Requests": {"nvidia.com/GPU": 1}},
    "ServiceAccountName": "edit-user",
    "NodeSelector": {"Disk": "ssd"},
    "Tolerations": [{"Key": "Spot", "Operator": "Exists", "Effect": "NoSchedule"}],
    "PodSecurityContext": {"FSGroup": 1000, "RunAsNonRoot": True},
    "SecurityContext": {"ReadOnlyRootFilesystem": True, "Capabilities": {"Drop": ["ALL"]}},
}


def lowered(value: Any) -> Any:
    """The same with every key in lower case, which the portal accepts as well."""
    if isinstance(value, list):
        return [lowered(one) for one in value]
    if isinstance(value, dict):
        return {key.casefold(): lowered(one) for key, one in value.items()}
    return value


def body(what: TenantCommand) -> JobBody:
    """The job for a command."""
    return build(what, JobName.of(what, STEP))


def beside(config: Any, what: TenantCommand | None = None, **fields: Any) -> JobBody:
    """The job beside a service with a given `OtherDockerConfig`."""
    plain = command(fields={"docker_config": json.dumps(config), **fields})
    return body(replace(what, snapshot=plain.snapshot) if what else plain)


def pod(job: JobBody) -> dict[str, Any]:
    """The specification of a job's pod."""
    spec: dict[str, Any] = job.document["spec"]["template"]["spec"]
    return spec


def container(job: JobBody) -> dict[str, Any]:
    """The only container of a job."""
    (found,) = pod(job)["containers"]
    return dict(found)


def test_the_job_runs_once_within_its_time() -> None:
    job = beside({})
    spec = job.document["spec"]
    assert {key: spec[key] for key in ("backoffLimit", "completions", "parallelism")} == {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
    }
    assert pod(job)["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 63
    # Some portals delete a job and leave its pod.
    assert pod(job)["activeDeadlineSeconds"] == 123
    assert spec["ttlSecondsAfterFinished"] == 24 * 3600


def test_settings_are_taken_over_in_the_spelling_of_kubernetes() -> None:
    job = beside(PASCAL)
    inside = container(job)
    assert inside["image"] == NEW
    assert inside["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
    ]
    assert inside["envFrom"] == [
        {"secretRef": {"name": "app"}},
        {"configMapRef": {"name": "more", "optional": True}},
    ]
    assert inside["volumeMounts"] == [
        {"name": "certs", "mountPath": "/certs", "readOnly": True, "subPath": "a"}
    ]
    assert inside["resources"] == {
        "limits": {"memory": "1Gi"},
        "requests": {"nvidia.com/GPU": 1},
    }
    assert inside["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    whole = pod(job)
    assert whole["volumes"] == [
        {"name": "certs", "secret": {"secretName": "tls", "items": [{"key": "k", "path": "p"}]}}
    ]
    assert whole["securityContext"] == {"fsGroup": 1000, "runAsNonRoot": True}
    assert whole["tolerations"] == [{"key": "Spot", "operator": "Exists", "effect": "NoSchedule"}]
    assert whole["serviceAccountName"] == "edit-user"
    assert job.left_out == ()


def test_keys_of_the_user_keep_their_case() -> None:
    assert pod(beside(PASCAL))["nodeSelector"] == {"Disk": "ssd"}


def test_the_letter_case_of_keys_does_not_matter() -> None:
    own = {key: PASCAL[key] for key in PASCAL if key not in ("NodeSelector", "Resources")}
    assert beside(lowered(own)).document == beside(own).document


def test_what_is_null_or_empty_counts_as_absent() -> None:
    config: dict[str, Any] = {
        "Env": None,
        "Volumes": [],
        "Resources": None,
        "InitContainers": None,
        "Labels": {},
    }
    assert beside(config).document == beside({}).document
    env = [{"Name": "A", "Value": None, "ValueFrom": None}]
    assert container(beside({"Env": env}))["env"] == [{"name": "A", "value": ""}]


def test_variables_of_the_run_replace_those_of_the_target() -> None:
    given = command(environment={"A": "cost: $5 $(B)", "NEW": "x"}, removed=frozenset({"B"}))
    assert container(beside(PASCAL, given))["env"] == [
        {"name": "A", "value": "cost: $$5 $$(B)"},
        {"name": "NEW", "value": "x"},
    ]


def test_what_a_job_cannot_have_is_left_out_by_name() -> None:
    job = beside(
        {
            "AdditionalContainers": [{"Name": "nginx"}, {"name": "agent"}],
            "initContainers": [{"name": "wait"}],
            "livenessProbe": {"httpGet": {"path": "/"}},
            "DeploymentStrategy": {"Type": "Recreate"},
            "PodLabels": {"app": "web", "team": "shop"},
            "Command": ["serve"],
            "Volumes": [{"Name": "data", "PersistentVolumeClaim": {"ClaimName": "data"}}],
            "VolumesMounts": [{"Name": "data", "MountPath": "/data"}],
        }
    )
    assert job.left_out == (
        "AdditionalContainers (nginx, agent)",
        "initContainers (wait)",
        "livenessProbe",
        "DeploymentStrategy",
        "labels (app, team)",
        "volume data (persistent)",
    )
    assert "volumes" not in pod(job)
    assert "volumeMounts" not in container(job)
    assert "app" not in json.dumps(job.document["spec"]["template"]["metadata"])


def test_the_names_of_what_is_left_out_are_bounded() -> None:
    job = beside({f"key{number}": True for number in range(500)})
    assert len(job.left_out) == 21
    assert job.left_out[-1] == "480 more"


def test_volumes_in_the_other_text_are_mounted_unless_they_are_disks() -> None:
    volumes = [
        {"Name": "conf", "Path": "/etc/app", "Spec": {"ConfigMap": {"Name": "app", "Items": None}}},
        {"Name": "disk", "Path": "/data", "AccessMode": "ReadWriteOnce", "Size": "5Gi"},
        {"Name": "claim", "Path": "/x", "Spec": {"PersistentVolumeClaim": {"claimName": "y"}}},
    ]
    job = beside({}, volumes=json.dumps(volumes))
    assert pod(job)["volumes"] == [{"name": "conf", "configMap": {"name": "app"}}]
    assert container(job)["volumeMounts"] == [{"name": "conf", "mountPath": "/etc/app"}]
    assert job.left_out == ("volume disk (persistent)", "volume claim (persistent)")


def test_no_sidecar_is_put_into_the_pod_that_would_never_end() -> None:
    job = beside(
        {
            "PodAnnotations": {
                "sidecar.istio.io/inject": "true",
                "vault.hashicorp.com/agent-inject": "true",
                "Kept": "as it is",
            },
            "PodLabels": {"azure.workload.identity/use": "true"},
        }
    )
    metadata = job.document["spec"]["template"]["metadata"]
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["linkerd.io/inject"] == "disabled"
    assert metadata["annotations"]["vault.hashicorp.com/agent-pre-populate-only"] == "true"
    assert metadata["annotations"]["Kept"] == "as it is"
    assert metadata["labels"] == {
        "sidecar.istio.io/inject": "false",
        "azure.workload.identity/use": "true",
    }


def test_the_pod_goes_to_the_hosts_of_the_service() -> None:
    job = beside({"NodeSelector": {"a": "b"}}, allocation_tags="jobs")
    assert pod(job)["nodeSelector"] == {"allocationtags": "jobs", "a": "b"}
    assert job.document["AllocationTags"] == "jobs"
    assert job.document["IsAnyHostAllowed"] is False
    anywhere = beside({}, flags={"IsAnyHostAllowed": True})
    assert anywhere.document["IsAnyHostAllowed"] is True
    assert "nodeSelector" not in pod(anywhere)


def test_a_shell_command_is_left_alone_by_kubernetes() -> None:
    """It replaces `$(NAME)` by a variable, and `$$` by `$`."""
    job = body(command("echo $$ $(date) ${HOME}"))
    assert container(job)["command"][-1] == "echo $$$$ $$(date) $${HOME}"


def test_a_program_needs_no_shell() -> None:
    job = body(command(command=("/app/migrate", "--all")))
    assert container(job)["command"] == ["/app/migrate", "--all"]
    assert job.document["spec"]["activeDeadlineSeconds"] == 60


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"docker_config": "{"}, "it is not valid JSON"),
        ({"docker_config": "[]"}, "it is not a JSON object"),
        ({"docker_config": '{"Env": [], "env": []}'}, "it has Env and env"),
        ({"volumes": "oops"}, "its Volumes are not valid JSON"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error_before_anything_is_created(
    fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        body(command(fields=fields))
    assert reason in caught.value.problems[0].what


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Name", "name", "Value", "Spec", "Secret", "Path", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from([*PASCAL, "env", "PodAnnotations", "Labels", "InitContainers", "Else"]),
        json_values,
    ),
    json_values,
)
def test_settings_of_any_shape_make_a_job_or_an_error(config: Any, volumes: Any) -> None:
    try:
        job = beside(config, volumes=json.dumps(volumes))
    except ConfigError:
        return
    json.dumps(job.document)
    assert all(isinstance(text, str) for text in job.left_out)


@pytest.mark.parametrize("platform", [0, 5])
def test_a_service_on_plain_docker_hosts_is_refused(platform: int) -> None:
    with pytest.raises(ConfigError) as caught:
        check(command(fields={"platform": platform}))
    assert "plain Docker hosts" in caught.value.problems[0].what


def test_a_function_is_refused() -> None:
    snapshot = Snapshot(Target(Kind.LAMBDA, "f"), {MAIN: "i"}, "1", object())
    with pytest.raises(ConfigError) as caught:
        check(command(snapshot=snapshot))
    assert "lambda:f is a Lambda function" in caught.value.problems[0].what


def test_a_service_has_no_job_of_its_own() -> None:
    with pytest.raises(ConfigError):
        check(command(command=()))


CRONJOB = {
    "metadata": {"name": "nightly", "annotations": {"duplocloud.net/is-any-host-allowed": "true"}},
    "spec": {
        "schedule": "0 3 * * *",
        "jobTemplate": {
            "metadata": {"labels": {"x": "y"}},
            "spec": {
                "backoffLimit": 3,
                "activeDeadlineSeconds": 30,
                "ttlSecondsAfterFinished": 5,
                "suspend": True,
                "template": {
                    "metadata": {"labels": {"app": "nightly"}},
                    "spec": {
                        "restartPolicy": "OnFailure",
                        "initContainers": [{"name": "wait", "image": "wait:1"}],
                        "containers": [
                            {
                                "name": "nightly",
                                "image": "old:1",
                                "args": ["--all"],
                                "env": [{"name": "A", "value": "1"}],
                            },
                            {"name": "agent", "image": "agent:1"},
                        ],
                    },
                },
            },
        },
    },
}


def cronjob(**own: Any) -> TenantCommand:
    """A command beside a CronJob."""
    found = CronJob("nightly", "nightly", {MAIN: "old:1"}, "0 3 * * *", "1", CRONJOB)
    target = Target(Kind.CRONJOB, "nightly")
    snapshot = Snapshot(target, found.images, "1", found, main="nightly", present=present(found))
    return command(snapshot=snapshot, **own)


def test_a_cronjob_without_a_command_runs_its_own_job_now() -> None:
    check(cronjob(command=()))
    job = body(cronjob(command=()))
    spec = job.document["spec"]
    own = CRONJOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]  # type: ignore[index]
    assert spec["backoffLimit"] == 3
    assert spec["activeDeadlineSeconds"] == 30
    assert spec["ttlSecondsAfterFinished"] == 24 * 3600
    assert "suspend" not in spec
    assert pod(job)["restartPolicy"] == "OnFailure"
    assert pod(job)["initContainers"] == own["initContainers"]
    assert pod(job)["containers"] == [{**own["containers"][0], "image": NEW}, own["containers"][1]]
    assert (job.container, job.left_out) == ("nightly", ())
    assert job.document["IsAnyHostAllowed"] is True


def test_a_command_beside_a_cronjob_runs_alone_in_its_pod() -> None:
    job = body(cronjob(environment={"A": "2"}))
    inside = container(job)
    assert inside["command"][:2] == ["sh", "-c"]
    assert "args" not in inside
    assert inside["env"] == [{"name": "A", "value": "2"}]
    assert (pod(job)["restartPolicy"], job.document["spec"]["backoffLimit"]) == ("Never", 0)
    assert job.left_out == ("containers (agent)", "initContainers (wait)")
    assert CRONJOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]  # type: ignore[index]
