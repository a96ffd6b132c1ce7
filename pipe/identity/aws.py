"""Calls to AWS through boto3, which is loaded only when somebody has to be known there.

boto3 signs requests and reads answers; it neither sends nor remembers anything. Requests go
out through the run's own network (its hook `before-send` may answer in place of the wire), so
that CA_CERT, proxies and limits are the same everywhere. Nothing of the machine's own AWS
configuration is used: no file, no profile, no instance role. Of its environment only
AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> count, which boto3 reads by itself.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipe.errors import PlatformError, Refused
from pipe.http import HttpClient, Limits, Network, Reply
from pipe.http.excerpt import excerpt
from pipe.retry import Retryable, RetryPolicy
from pipe.secret import Mask, Secret
from pipe.settings import Keys

log = logging.getLogger(__name__)

_RETRIES = RetryPolicy(patience=60.0, longest_pause=10.0)
_LIMITS = Limits(read=30.0, whole=45.0, body=16 << 20)
_TRANSIENT = (
    "IDPCommunicationError",
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServerException",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)
_XML = re.compile(r"(?:<\?xml[^>]*>\s*)?<(\w+Response)\b.*</\1>", re.DOTALL)
_SECRETS_IN_XML = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)</")
_NOT_FROM_THE_MACHINE = {
    "profile": None,
    "config_file": os.devnull,
    "credentials_file": os.devnull,
    "data_path": None,
    "ca_bundle": None,
    "csm_enabled": False,
    "user_agent_appid": None,
}


class AwsRefusal(Exception):
    """AWS answered no. `code` is its error code, `said` its own words."""

    def __init__(self, operation: str, code: str, said: str, status: int) -> None:
        super().__init__(f"{code}: {said}")
        self.operation = operation
        self.code = code
        self.said = said
        self.status = status

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code in _TRANSIENT or self.status >= 500 or self.status == 429


@dataclass
class AwsClient:
    """Somebody in AWS; without `keys` nobody, who can still call what needs no signature."""

    network: Network
    mask: Mask
    region: str
    keys: Keys | None = None
    _session: Any = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def with_keys(self, keys: Keys) -> AwsClient:
        """Whoever the keys belong to, without loading everything a second time."""
        return AwsClient(self.network, self.mask, self.region, keys, self._session)

    def call(self, service: str, operation: str, region: str = "", **arguments: Any) -> Any:
        """One call's answer, as the dictionary that boto3 makes of it.

        `operation` is boto3's name for it. Repeated while its failure may pass, for a minute
        at most. Raises `AwsRefusal`, or `PlatformError` when AWS gives no answer of its own.
        """
        call = getattr(self._client(service, region or self.region), operation)

        def classify(error: Exception) -> Retryable | None:
            retryable = isinstance(error, (AwsRefusal, PlatformError)) and error.retryable
            return Retryable(f"{error} ({service})") if retryable else None

        return _RETRIES.call(
            self.network.clock, lambda: self._try(call, operation, arguments), classify
        )

    def endpoint(self, service: str, region: str = "") -> str:
        """The address that calls to a service go to."""
        return str(self._client(service, region or self.region).meta.endpoint_url)

    def _try(self, call: Callable[..., Any], operation: str, arguments: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            return call(**arguments)
        except ClientError as error:
            told = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            # Some services write the whole shape's name: com.amazonaws...#AccessDeniedException.
            code = str(told.get("Code", "")).rpartition("#")[2]
            raise AwsRefusal(operation, code, str(told.get("Message", "")), status) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise AwsRefusal(operation, type(error).__name__, str(error), 0) from None

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._session = self._session or _open_session()
            client = self._session.client(
                service, region_name=region, config=_config(self.keys), **_named(self.keys)
            )
            client.meta.events.register("before-send", self._send)
            self._clients[service, region] = client
        return self._clients[service, region]

    def _send(self, request: Any, **_: Any) -> Any:
        """Send a finished request of boto3's and hand back the answer as its own type."""
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - see above

        parts = urlsplit(request.url)
        path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        headers = {name: _text(value) for name, value in request.headers.items()}
        client = self._http(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body
        reply = client.once(request.method, path, data=body, headers=headers)
        self._learn(reply)
        _check(reply, urlsplit(request.url).netloc)
        return AWSResponse(request.url, reply.status, reply.headers, _Body(reply.body))

    def _http(self, url: str) -> HttpClient:
        return self.network.client(url, setting="AWS_DEFAULT_REGION", limits=_LIMITS)

    def _learn(self, reply: Reply) -> None:
        """Hide what an answer gives away before boto3 sees it, and perhaps logs it."""
        text = reply.text()
        for _, value in _SECRETS_IN_XML.findall(text):
            self.mask.add(Secret(value))
        if '"SecretString"' in text:
            for value in _secret_texts(text):
                self.mask.add(Secret(value))


class _Body(io.BytesIO):
    """An answer's content, as boto3 wants to read it."""

    def stream(self, **_: Any) -> list[bytes]:
        """All of it at once."""
        return [self.read()]


def _check(reply: Reply, host: str) -> None:
    """Raise `Refused` for an answer that something on the way gave in place of AWS.

    boto3 would take a page for an empty answer, and that for a no.
    """
    if _is_of_aws(reply):
        return
    said = excerpt(reply)
    told = f': "{said}"' if said else ""
    raise Refused(
        f"{host} answered {reply.status}, and not as AWS does{told}.",
        "See what answers in place of AWS there: a proxy (HTTPS_PROXY), a firewall, or another "
        "server behind AWS_ENDPOINT_URL.",
        retryable=reply.ok or reply.outage or "Rate exceeded" in said,
    )


def _is_of_aws(reply: Reply) -> bool:
    """Whether it is whole, and of one of the two forms: XML, and JSON with a type for errors."""
    text = reply.text().strip()
    if not text.startswith("{"):
        return _XML.fullmatch(text) is not None
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return False
    named = any(name.lower() == "x-amzn-errortype" for name in reply.headers)
    return reply.ok or named or "__type" in answer


def _secret_texts(answer: str) -> Iterator[str]:
    """What Secrets Manager's answer holds: the secret, and each text in it if it is JSON."""
    try:
        value = str(json.loads(answer)["SecretString"])
        yield value
        inner = json.loads(value)
        yield from (text for text in inner.values() if isinstance(text, str))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return


def _open_session() -> Any:
    """boto3 with nothing of the machine's to go by."""
    import boto3.session  # noqa: PLC0415 - a quarter of a second that most runs need not spend
    import botocore.session  # noqa: PLC0415
    from botocore.credentials import CredentialResolver  # noqa: PLC0415

    core = botocore.session.Session()
    settings = core.get_component("config_store")
    for name, value in _NOT_FROM_THE_MACHINE.items():
        settings.set_config_variable(name, value)
    core.register_component("credential_provider", CredentialResolver(providers=[]))
    return boto3.session.Session(botocore_session=core)


def _named(keys: Keys | None) -> Mapping[str, str | None]:
    if keys is None:
        return {}
    return {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key.reveal(),
        "aws_session_token": keys.session_token.reveal() or None,
    }


def _config(keys: Keys | None) -> Any:
    from botocore import UNSIGNED  # noqa: PLC0415 - see _open_session
    from botocore.config import Config  # noqa: PLC0415

    return Config(
        signature_version=None if keys else UNSIGNED,
        retries={"total_max_attempts": 1, "mode": "standard"},
        defaults_mode="legacy",
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
