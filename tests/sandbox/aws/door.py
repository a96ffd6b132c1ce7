"""The entrance to moto: verifies web identities, injects scripted faults, and keeps a log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from tests.sandbox.aws.iam import Iam, StsError
from tests.sandbox.fault_injection import WsgiApp, rewind
from tests.sandbox.issued_secrets import SECRET_KEY, SESSION_TOKEN

OWNER = "owner"
"""The access key of the test that sets the account up; its requests are not checked."""

_SECRET_KEY = re.compile(r"(?<=<SecretAccessKey>)[^<]+")
_SESSION_TOKEN = re.compile(r"(?<=<SessionToken>)[^<]+")
_GIVEN = re.compile(r"<(?:AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)<")
_SIGNER = re.compile(r"Credential=([^/]+)/")
_CACHE_RULES = "DescribePullThroughCacheRules"
_LAYER_ADDRESS = "GetDownloadUrlForLayer"
_BLOB = "/sandbox/blob"
_CONFIGURATION = {"os": "linux", "architecture": "amd64"}
"""What every image of this registry was built for; moto keeps no blobs."""
_JSON = "application/x-amz-json-1.1"


@dataclass
class AwsFault:
    """`times` calls of `operation` end with this error."""

    operation: str
    code: str = ""
    message: str = ""
    status: int = 400
    times: int = 1


class Door:
    """Passes requests to moto, or refuses them with the errors of AWS."""

    def __init__(self, moto: WsgiApp, iam: Iam) -> None:
        self._moto = moto
        self.iam = iam
        self.log: list[str] = []
        self.assumed: list[dict[str, str]] = []
        self.given: list[str] = []
        """All keys and session tokens that were issued."""
        self.signers: list[str] = []
        """The access keys that signed requests."""
        self.faults: list[AwsFault] = []
        self._answers: list[tuple[str, Any]] = []
        self.rules: list[dict[str, str]] = []
        """The pull through cache rules of ECR, which moto does not have."""

    def answer(self, operation: str, body: Any, times: int = 1) -> None:
        """Answer the next calls of an operation with this body, bypassing moto."""
        self._answers += [(operation, body)] * times

    def clear(self) -> None:
        """Forget all requests and everything scripted."""
        recorded: list[list[Any]] = [self.log, self.assumed, self.given, self.signers]
        for entries in (*recorded, self.faults, self._answers, self.rules):
            entries.clear()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if request.path == _BLOB:
            return Response(json.dumps(_CONFIGURATION))(environ, start_response)
        body = request.get_data()
        rewind(environ, body)
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        operation = target or form.get("Action", "")
        if f"Credential={OWNER}/" in request.headers.get("Authorization", ""):
            return self._moto(environ, start_response)
        self.log.append(operation)
        self.signers += _SIGNER.findall(request.headers.get("Authorization", ""))
        try:
            self._check(operation, form)
        except StsError as error:
            answer = _json_error(error) if target else _xml_error(error)
            return answer(environ, start_response)
        if operation == _CACHE_RULES:
            answer = Response(json.dumps({"pullThroughCacheRules": self.rules}), content_type=_JSON)
            return answer(environ, start_response)
        for scripted in self._answers:
            if scripted[0] == operation:
                self._answers.remove(scripted)
                answer = Response(json.dumps(scripted[1]), content_type=_JSON)
                return answer(environ, start_response)
        if operation == _LAYER_ADDRESS:
            address = {"downloadUrl": f"{request.host_url.rstrip('/')}{_BLOB}?X-Amz-Signature=blob"}
            answer = Response(json.dumps(address), content_type=_JSON)
            return answer(environ, start_response)
        response = Response.from_app(self._moto, environ, buffered=True)
        # Known secrets replace moto's random ones, so that tests can search for them.
        body_text = _SECRET_KEY.sub(SECRET_KEY, response.get_data(as_text=True))
        response.set_data(_SESSION_TOKEN.sub(SESSION_TOKEN, body_text))
        self.given += _GIVEN.findall(response.get_data(as_text=True))
        return response(environ, start_response)

    def _check(self, operation: str, form: dict[str, str]) -> None:
        for fault in self.faults:
            if fault.operation == operation and fault.times > 0:
                fault.times -= 1
                raise StsError(fault.status, fault.code, fault.message)
        if operation == "AssumeRoleWithWebIdentity":
            duration = int(form.get("DurationSeconds", "3600"))
            self.iam.admit(form["RoleArn"], form["WebIdentityToken"], duration)
            self.assumed.append(form)


def _xml_error(error: StsError) -> Response:
    kind = "Sender" if error.status < 500 else "Receiver"
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n'
        f"    <Type>{kind}</Type>\n    <Code>{error.code}</Code>\n"
        f"    <Message>{escape(error.message)}</Message>\n  </Error>\n"
        "  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>\n</ErrorResponse>\n"
    )
    return Response(body, error.status, content_type="text/xml")


def _json_error(error: StsError) -> Response:
    body = json.dumps({"__type": error.code, "message": error.message})
    headers = {"x-amzn-ErrorType": error.code}
    return Response(body, error.status, headers, content_type=_JSON)
