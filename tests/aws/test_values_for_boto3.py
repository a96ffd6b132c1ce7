"""Every value of the variables that reaches boto3: refused with the line to write, or used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe import image
from pipe.clock import SystemClock
from pipe.hosts import ecr_address
from tests.aws.conftest import AwsHarness
from tests.sandbox.aws import ACCOUNT, ROLE, Cloud
from tests.support.harness import Harness

WRONG_REGIONS = (
    *("", "-", "-eu-west-1", "eu-west-1-", "eu_west_1", "eu west 1", "eu-west-1.example", ".."),
    *("12345", "EU-WEST-1", "eu-west-1\n", "eu-" + "a" * 70 + "-1", "*", "{region}", "sts", "/"),
    "ü-west-1",
)
WRONG_ARNS = (
    *("arn:", "arn:aws", "arn:aws:secretsmanager:eu-west-1", f"arn:aws:iam::{ACCOUNT}:role/deploy"),
    f"arn:aws:secretsmanager::{ACCOUNT}:secret:x",
    "arn:aws:secretsmanager:eu-west-1:1:secret:x",
    f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:",
    f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/x",
)
WRONG_KEYS = ("ü", "a b", "a\r\nX-Injected: 1", "a\x00", "€" * 20, "\udcff", "a\u2028b", "a\tb")

regions = st.one_of(
    st.from_regex(r"[a-z0-9-]{0,70}", fullmatch=True),
    st.from_regex(r"[a-z]{1,5}(-[a-z]{1,20}){0,5}-[0-9]{0,3}", fullmatch=True),
    st.text(max_size=20),
)
places = st.sampled_from(["AWS_DEFAULT_REGION", "DUPLO_TOKEN_SECRET", "IMAGE", "ROLE", "SESSION"])


def in_place(place: str, text: str) -> dict[str, str]:
    """Return variables with a text where a region or another name is expected."""
    return {
        "AWS_DEFAULT_REGION": {"AWS_DEFAULT_REGION": text},
        "DUPLO_TOKEN_SECRET": {
            "DUPLO_TOKEN": "",
            "DUPLO_TOKEN_SECRET": f"arn:aws:secretsmanager:{text}:{ACCOUNT}:secret:portal",
        },
        "IMAGE": {"IMAGE": f"{ACCOUNT}.dkr.ecr.{text}.amazonaws.com/team/web:1"},
        "ROLE": {"AWS_OIDC_ROLE_ARN": ROLE.replace("arn:aws", f"arn:aws{text}")},
        "SESSION": {"AWS_ROLE_SESSION_NAME": text},
    }[place]


@pytest.mark.parametrize("region", WRONG_REGIONS)
def test_a_secrets_arn_with_a_bad_region_is_refused(aws: AwsHarness, region: str) -> None:
    """Exit 2 with the line to write, and AWS gets no request."""
    result = aws.refused(2, **in_place("DUPLO_TOKEN_SECRET", region))
    assert "DUPLO_TOKEN_SECRET is " in result.log
    assert "Write under variables:   DUPLO_TOKEN_SECRET: 'deploy/portal-token'" in result.log
    assert aws.cloud.door.log == []


@pytest.mark.parametrize("arn", WRONG_ARNS)
def test_the_arn_of_something_else_is_refused(aws: AwsHarness, arn: str) -> None:
    """The message names the form of a secret's ARN."""
    result = aws.refused(2, DUPLO_TOKEN="", DUPLO_TOKEN_SECRET=arn)
    assert "arn:aws:secretsmanager:<region>:<account>:secret:<name>" in result.log


@pytest.mark.parametrize("region", WRONG_REGIONS)
def test_a_bad_region_in_the_name_of_a_registry_is_not_a_defect(
    aws: AwsHarness, region: str
) -> None:
    """Such a registry is not in ECR, if the name is one at all."""
    result = aws.deploy(**in_place("IMAGE", region))
    assert result.code != 1, result.text
    assert "Traceback" not in result.text


@pytest.mark.parametrize(
    "host",
    [
        "dkr.ecr.eu-west-1.amazonaws.com",
        "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "dkr.ecr.cn-northwest-1.amazonaws.com.cn",
        "dkr.ecr.ap-southeast-7.amazonaws.com",
        "dkr.ecr.us-isob-east-1.amazonaws.com",
        "dkr-ecr.mx-central-1.on.aws",
    ],
)
def test_regions_of_aws_are_known_as_such(host: str) -> None:
    """In every partition and form of the name."""
    address = ecr_address(image.parse(f"{ACCOUNT}.{host}/team/web:1"))
    assert address
    assert address.region == host.split(".")[-3 if host.endswith("on.aws") else 2]


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
@pytest.mark.parametrize("value", WRONG_KEYS)
def test_a_key_that_no_header_can_hold_is_refused(aws: AwsHarness, name: str, value: str) -> None:
    """Exit 2 names the variable and not the value."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    result = aws.refused(2, AWS_OIDC_ROLE_ARN="", **{**keys, name: value})
    assert f"{name} contains characters that no key has" in result.log
    assert aws.cloud.door.log == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=places, text=regions)
def test_no_text_in_any_of_them_is_a_defect(
    tmp_path_factory: pytest.TempPathFactory, account: Cloud, place: str, text: str
) -> None:
    """Whatever stands for a region, a partition or a session's name."""
    folder: Path = tmp_path_factory.mktemp("run")
    harness = Harness(folder)
    harness.web()
    account.reset(harness.clock)
    step = account.environ() | account.endpoints() | in_place(place, text.replace("\x00", ""))
    result = harness.deploy(image=step.pop("IMAGE", "team/web:1.4.2"), **step)
    # The output may hold the traceback of the stand-in for AWS, which logs its own defects.
    assert result.code != 1, result.text


@pytest.fixture(scope="module")
def account() -> Iterator[Cloud]:
    with Cloud(SystemClock()) as cloud:
        yield cloud
