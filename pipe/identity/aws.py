"""Calls to AWS through boto3, which is imported only in runs that have an AWS identity.

boto3 signs requests and parses responses. The run's own network sends them, from botocore's event
`before-send`. `tests/aws` and `tests/reliability/test_other_services.py` need it: for CA_CERT
without a file, the run's proxies, limits on responses, secrets masked before botocore logs them,
the injected clock, and a gateway's page that botocore takes for an empty response.

Nothing of the machine's AWS configuration is used: no file, profile, service model, variable or
instance role. Addresses from AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> are settings.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipe.errors import PlatformError, Refused
from pipe.http import Limits, Network, Reply
from pipe.http.excerpt import excerpt
from pipe.http.json_body import loads
from pipe.identity.portal_keys import PortalKeys
from pipe.retry import Retryable, RetryPolicy
from pipe.secret import Mask, Secret, clause
from pipe.settings import Keys

log = logging.getLogger(__name__)

_RETRY_POLICY = RetryPolicy(patience=60.0, longest_pause=10.0)
_LIMITS = Limits(read=30.0, whole=45.0, body=16 << 20)
_RETRYABLE = (
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
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What botocore's parser raises for values of another type than its models, such as dates."""
_NOT_AWS_REMEDY = (
    "Check which server responds in place of AWS: a proxy (HTTPS_PROXY), a firewall, or another "
    "one behind AWS_ENDPOINT_URL."
)
_XML = re.compile(r"(?:<\?xml[^>]*>\s*)?<(\w+Response)\b.*</\1>", re.DOTALL)
_SECRETS_IN_XML = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)</")
_OWN_CONFIGURATION = {
    "config_file": os.devnull,
    "credentials_file": os.devnull,
    "ignore_configured_endpoint_urls": True,
}
"""Where botocore's defaults would read the machine's configuration."""


class AwsRefusal(Exception):
    """An error that AWS returned: its code, its message without a full stop, and HTTP status."""

    def __init__(self, operation: str, code: str, message: str, status: int) -> None:
        self.message = clause(message)
        super().__init__(f"{code}: {self.message}")
        self.operation = operation
        self.code = code
        self.status = status

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code in _RETRYABLE or self.status >= 500 or self.status == 429

    @property
    def expired(self) -> bool:
        """Whether the credentials of the call have expired."""
        return self.code in _EXPIRED


@dataclass
class AwsClient:
    """Calls as the owner of `keys`; without keys only calls that need no signature.

    `source` issues the keys, again when they end.
    """

    network: Network
    mask: Mask
    region: str
    keys: Keys | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    source: PortalKeys | None = None
    _session: Any = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def with_keys(self, keys: Keys) -> AwsClient:
        """Return a client with other keys that shares the loaded service models."""
        endpoints, session = self.endpoints, self._session
        return AwsClient(self.network, self.mask, self.region, keys, endpoints, _session=session)

    def call(self, service: str, operation: str, region: str = "", **arguments: Any) -> Any:
        """Return a call's output as boto3's dictionary; `operation` is a method of boto3's client.

        Temporary failures are retried for a minute. Raises `AwsRefusal` for an error that AWS
        returned, `PlatformError` when the response is not from AWS or there is none, and the
        error of `source`.
        """
        try:
            return self._call(service, operation, region or self.region, arguments)
        except AwsRefusal as refusal:
            if self.source is None or not refusal.expired:
                raise
            self.source.discard(self.keys)
        return self._call(service, operation, region or self.region, arguments)

    def _call(self, service: str, operation: str, region: str, arguments: Mapping[str, Any]) -> Any:
        if self.source and (keys := self.source.current().keys) != self.keys:
            self.keys, self._clients = keys, {}
        call = getattr(self._client(service, region), operation)

        def classify(error: Exception) -> Retryable | None:
            retryable = isinstance(error, (AwsRefusal, PlatformError)) and error.retryable
            return Retryable(f"{error} ({service})") if retryable else None

        return _RETRY_POLICY.call(
            self.network.clock, lambda: self._invoke(call, operation, arguments), classify
        )

    def endpoint(self, service: str, region: str = "") -> str:
        """Return the address of a service."""
        return str(self._client(service, region or self.region).meta.endpoint_url)

    def _invoke(
        self, call: Callable[..., Any], operation: str, arguments: Mapping[str, Any]
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see _open_session
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            return call(**arguments)
        except ClientError as error:
            details = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            # Some services return the shape's full name: com.amazonaws...#AccessDeniedException.
            code = str(details.get("Code", "")).rpartition("#")[2]
            raise AwsRefusal(operation, code, str(details.get("Message", "")), status) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise AwsRefusal(operation, type(error).__name__, str(error), 0) from None
        except _UNREADABLE as error:
            raise Refused(
                f"The reply to {operation} is a response that is not from AWS: botocore cannot "
                f"read it ({type(error).__name__}).",
                _NOT_AWS_REMEDY,
            ) from error

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._session = self._session or _open_session()
            client = self._session.client(
                service,
                region_name=region,
                endpoint_url=self.endpoints.get(service),
                verify=True,  # of a connection that is never made; None would read a variable
                config=_config(self.keys),
                **_credentials(self.keys),
            )
            client.meta.events.register("before-send", self._send)
            self._clients[service, region] = client
        return self._clients[service, region]

    def _send(self, request: Any, **_: Any) -> Any:
        """Send a signed request of boto3's and return the reply as botocore's type."""
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - see _open_session

        parts = urlsplit(request.url)
        path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        headers = {name: _text(value) for name, value in request.headers.items()}
        http = self.network.client(request.url, setting="AWS_DEFAULT_REGION", limits=_LIMITS)
        body = request.body.encode() if isinstance(request.body, str) else request.body
        reply = http.once(request.method, path, data=body, headers=headers)
        self._mask_secrets(reply)
        _require_aws(reply, parts.netloc)
        return AWSResponse(request.url, reply.status, reply.headers, _Body(reply.body))

    def _mask_secrets(self, reply: Reply) -> None:
        """Mask the secrets in a reply before botocore sees it and may log it."""
        text = reply.text()
        for _, value in _SECRETS_IN_XML.findall(text):
            self.mask.add(Secret(value))
        if '"SecretString"' in text:
            for value in _secret_values(text):
                self.mask.add(Secret(value))


class _Body(io.BytesIO):
    """A reply's body with the reading method that botocore calls."""

    def stream(self, **_: Any) -> list[bytes]:
        """Return the body in one piece."""
        return [self.read()]


def _require_aws(reply: Reply, host: str) -> None:
    """Raise `Refused` for a reply of a server that responds in place of AWS.

    botocore would take a page for an empty response, and report an unknown error.
    """
    if _is_from_aws(reply):
        return
    body = excerpt(reply)
    quoted = f': "{body}"' if body else ""
    raise Refused(
        f"{host} returned status {reply.status} and a response that is not from AWS{quoted}.",
        _NOT_AWS_REMEDY,
        retryable=reply.ok or reply.outage or "Rate exceeded" in body,
    )


def _is_from_aws(reply: Reply) -> bool:
    """Return whether the body is complete, and XML or JSON with a type for errors."""
    text = reply.text().strip()
    if not text.startswith("{"):
        return _XML.fullmatch(text) is not None
    try:
        content = loads(text)
    except ValueError:
        return False
    return reply.ok or "x-amzn-errortype" in reply.headers or "__type" in content


def _secret_values(body: str) -> Iterator[str]:
    """Yield the secret in a response of Secrets Manager, and each text in a secret of JSON."""
    try:
        value = str(loads(body)["SecretString"])
        yield value
        inner = loads(value)
        yield from (text for text in inner.values() if isinstance(text, str))
    except (ValueError, LookupError, TypeError, AttributeError):
        return


def _open_session() -> Any:
    """Return a boto3 session that ignores the machine's configuration."""
    import boto3.session  # noqa: PLC0415 - takes 0.25 s, and most runs do not need it
    import botocore.session  # noqa: PLC0415
    from botocore.credentials import CredentialResolver  # noqa: PLC0415
    from botocore.loaders import Loader  # noqa: PLC0415

    core = botocore.session.Session()
    settings = core.get_component("config_store")
    # A value that is set goes before the variables and files that botocore would read for it.
    defaults = {name: entry[2] for name, entry in core.SESSION_VARIABLES.items()}
    for name, value in (defaults | _OWN_CONFIGURATION).items():
        settings.set_config_variable(name, value)
    core.register_component("credential_provider", CredentialResolver(providers=[]))
    # The default loader prefers models in ~/.aws/models, which can name any address.
    own = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    core.register_component("data_loader", own)
    return boto3.session.Session(botocore_session=core)


def _credentials(keys: Keys | None) -> Mapping[str, str | None]:
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
