"""Every other registry, through the distribution API of the Open Container Initiative."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pipe.errors import Unreachable
from pipe.hosts import LOCAL_HOSTS
from pipe.http import HttpClient, Limits, Network, Reply
from pipe.image import Image
from pipe.registry.address import OciAddress
from pipe.registry.base import MANIFESTS, Absent, CannotAsk, Found
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Verify

_LIMITS = Limits(connect=3.0, read=15.0, whole=30.0, body=8 << 20, tries=4, patience=20.0)
_NO_TOKEN = (400, 401, 403, 404)
"""How token services say that somebody may not have one."""
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAGS_PER_PAGE = 1000
_MOST_PAGES = 5


class OciRegistry:
    """See `Registry`. Asks without a name first, then as the registry demands.

    `out_of_reach` holds, by host, why a registry cannot be connected to: shared by all images of
    a run, so that nobody waits for the same host twice.
    """

    def __init__(
        self,
        network: Network,
        mask: Mask,
        address: OciAddress,
        rules: ImageRules,
        out_of_reach: dict[str, Unreachable],
    ) -> None:
        self._out_of_reach = out_of_reach
        self._network = network
        self._mask = mask
        self._address = address
        self._user = rules.registry_username
        self._password = rules.registry_password
        self._must_connect = rules.verify is Verify.ALWAYS or rules.pin_digest
        self._authorization = ""
        self._http: HttpClient | None = None

    @property
    def url(self) -> str:
        """The address that is asked."""
        return self._client().base

    def find(self, image: Image) -> Found:
        """See `Registry`."""
        path = self._path("manifests", image.digest or image.tag)
        head = self._ask("HEAD", path)
        if head.ok and _DIGEST.fullmatch(digest := _header(head, "Docker-Content-Digest")):
            return Found(digest, _media_type(head))
        # Without the header, and to be sure of a no, the manifest itself has to come.
        reply = self._ask("GET", path)
        if reply.status == 404:
            raise self._absent(reply, image)
        self._check(reply)
        if not _is_manifest(reply):
            raise CannotAsk(
                f"{self._address.name} answers with no manifest, and not as a registry does",
                "Check the registry's name in IMAGE, and what answers in its place.",
            )
        return Found(f"sha256:{hashlib.sha256(reply.body).hexdigest()}", _media_type(reply))

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        found: list[str] = []
        path = self._path("tags", f"list?n={_TAGS_PER_PAGE}", safe="?=&")
        for _ in range(_MOST_PAGES):
            reply = self._ask("GET", path)
            if reply.status == 404:
                raise self._absent(reply, image)
            self._check(reply)
            found += _listed(reply)
            following = re.match(r"<([^>]+)>", _header(reply, "Link"))
            if not following:
                break
            parts = urlsplit(following[1])
            path = f"{parts.path.lstrip('/')}?{parts.query}"
        return found

    def _ask(self, method: str, path: str) -> Reply:
        """Ask, and once more with a token if the registry wants one."""
        reply = self._once(method, path)
        if reply.status == 401 and (challenge := _header(reply, "WWW-Authenticate")):
            self._authorization = self._authorize(challenge)
            reply = self._once(method, path)
        return reply

    def _once(self, method: str, path: str) -> Reply:
        headers = {"Accept": ", ".join([*MANIFESTS, "application/json"])}
        if self._authorization:
            headers["Authorization"] = self._authorization
        if known := self._out_of_reach.get(self._address.host):
            raise CannotAsk.because(known)
        return self._send(self._client(), method, path, headers)

    def _send(
        self, client: HttpClient, method: str, path: str, headers: Mapping[str, str]
    ) -> Reply:
        """Ask, again where it failed on the way.

        Not where nobody can be reached at all, unless the deploy hangs on the answer.
        """
        try:
            return client.repeatable(
                method,
                path,
                headers=headers,
                transient=_is_passing,
                must_connect=self._must_connect,
            )
        except Unreachable as trouble:
            if not trouble.may_have_applied:
                self._out_of_reach[self._address.host] = trouble
            raise CannotAsk.because(trouble) from trouble

    def _client(self) -> HttpClient:
        """The registry's address; one on this machine may do without TLS, as for Docker."""
        if self._http is None:
            self._http = self._connect("https")
            if self._address.local and not self._speaks(self._http):
                self._http = self._connect("http")
        return self._http

    def _connect(self, scheme: str) -> HttpClient:
        url = f"{scheme}://{self._address.host}"
        return self._network.client(url, setting="IMAGE", limits=_LIMITS)

    def _speaks(self, client: HttpClient) -> bool:
        try:
            client.once("GET", "v2/")
        except Unreachable:
            return False
        return True

    def _authorize(self, challenge: str) -> str:
        """What to send as Authorization for a registry's challenge."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "bearer":
            return f"Bearer {self._token(dict(_CHALLENGE.findall(rest))).reveal()}"
        if scheme.lower() == "basic" and self._user:
            return self._basic()
        raise CannotAsk(
            f"{self._address.name} wants a user and a password",
            "Give REGISTRY_USERNAME and REGISTRY_PASSWORD.",
        )

    def _token(self, asked: Mapping[str, str]) -> Secret:
        realm = urlsplit(asked.get("realm", ""))
        if realm.scheme != "https" and realm.hostname not in LOCAL_HOSTS:
            raise CannotAsk(f'{self._address.name} sends us to "{realm.geturl()}" for a token')
        query = {"scope": f"repository:{self._address.repository}:pull"}
        if "service" in asked:
            query["service"] = asked["service"]
        path = f"{realm.path.lstrip('/')}?{'&'.join(filter(None, [realm.query, urlencode(query)]))}"
        client = self._network.client(realm.geturl(), setting="IMAGE", limits=_LIMITS)
        headers = {"Authorization": self._basic()} if self._user else {}
        reply = self._send(client, "GET", path, headers)
        if reply.status in _NO_TOKEN:
            raise self._refused(reply)
        if not reply.ok:
            raise CannotAsk(f"{realm.netloc} answers {reply.status} instead of a token")
        answer = _object(reply)
        token = answer.get("token") or answer.get("access_token")
        if not token:
            raise CannotAsk(f"{realm.netloc} answers without a token")
        return self._mask.add(Secret(str(token)))

    def _basic(self) -> str:
        pair = f"{self._user}:{self._password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def _check(self, reply: Reply) -> None:
        """Raise `CannotAsk` for an answer that proves nothing."""
        if reply.status in (401, 403):
            raise self._refused(reply)
        if not reply.ok:
            raise CannotAsk(f"{self._address.name} answers {reply.status}")

    def _refused(self, reply: Reply) -> CannotAsk:
        if self._user:
            return CannotAsk(
                f"{self._address.name} refuses {self._address.repository} to the user of "
                f"REGISTRY_USERNAME ({reply.status})",
                "Check REGISTRY_USERNAME and REGISTRY_PASSWORD, and the user's right to pull.",
            )
        return CannotAsk(
            f"{self._address.name} does not show {self._address.repository} to everybody "
            f"({reply.status}): it is private, or not there",
            "Give REGISTRY_USERNAME and REGISTRY_PASSWORD if it is private.",
        )

    def _absent(self, reply: Reply, image: Image) -> Exception:
        """`Absent` if a registry says so, in its own way: any web server can say 404."""
        codes = _error_codes(reply)
        if not codes:
            return CannotAsk(
                f"{self._address.name} answers 404, and not as a registry does",
                "Check the registry's name in IMAGE.",
            )
        if "NAME_UNKNOWN" in codes:
            return Absent(f"there is no repository {image.repository} at {self._address.name}")
        wanted = image.digest or f'tag "{image.tag}"'
        return Absent(f"the repository {image.repository} has no {wanted}")

    def _path(self, what: str, which: str, safe: str = ":") -> str:
        return f"v2/{quote(self._address.repository)}/{what}/{quote(which, safe=safe)}"


def _is_passing(reply: Reply) -> bool:
    """Whether it is an outage: everything good that a registry has to say is an object."""
    nonsense = reply.ok and bool(reply.body) and not _object(reply)
    return nonsense or reply.outage


def _is_manifest(reply: Reply) -> bool:
    """Whether it is what a registry shows of an image: any server can say 200."""
    return "schemaVersion" in _object(reply)


def _object(reply: Reply) -> Mapping[str, Any]:
    """The object that the body holds, empty for anything else."""
    try:
        found = reply.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _media_type(reply: Reply) -> str:
    return _header(reply, "Content-Type").partition(";")[0].strip()


def _header(reply: Reply, name: str) -> str:
    wanted = name.lower()
    return next((value for key, value in reply.headers.items() if key.lower() == wanted), "")


def _listed(reply: Reply) -> list[str]:
    tags = _object(reply).get("tags") or []
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _error_codes(reply: Reply) -> set[str]:
    try:
        return {str(error["code"]) for error in _object(reply)["errors"]}
    except (LookupError, TypeError):
        return set()
