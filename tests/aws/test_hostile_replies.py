"""Replies in place of AWS that boto3 cannot read."""

from __future__ import annotations

import pytest

from pipe.errors import PlatformError
from pipe.http import Network
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.secret import Mask, Secret
from pipe.settings import Keys, Proxies
from tests.support.http_server import Answer, HttpServer
from tests.support.real_time import JumpingClock

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", Secret("secret-key-0123456789"), Secret(""))


@pytest.mark.parametrize(
    "body",
    [
        '{"imageDetails": 5}',
        '{"imageDetails": {"a": 1}}',
        '{"imageDetails": [5]}',
        '{"imageDetails": [{"imagePushedAt": "\u00b2"}]}',
        '{"imageDetails": [{"imagePushedAt": 1e300}]}',
        '{"imageDetails": [{"imagePushedAt": {}}]}',
        '{"imageDetails":' + "[" * 1500 + "]" * 1500 + "}",
        '{"imageDetails":' + '{"imageDetails":' * 90 + "1" + "}" * 91,
    ],
    ids=range(8),
)
def test_an_unreadable_reply_is_an_error_of_the_platform(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never ends as a defect."""
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    with HttpServer(lambda _: Answer(200, body, headers)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        network = Network(Proxies(), "", JumpingClock())
        client = AwsClient(network, Mask(), "eu-west-1", KEYS)
        with pytest.raises((AwsRefusal, PlatformError)):
            client.call("ecr", "describe_images", repositoryName="team/web")
