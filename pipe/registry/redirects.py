"""Redirects of manifests: some registries, such as registry.k8s.io, keep them on another host."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from pipe.hosts import is_internal
from pipe.http import Reply
from pipe.http.excerpt import one_line
from pipe.registry.base import CannotVerify
from pipe.registry.oci_client import OciClient

_STATUSES = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3


def request_manifest(client: OciClient, name: str, method: str, path: str) -> Reply:
    """Return the registry's reply, or that of the host it redirects to; `name` is for messages.

    The credentials stay with the registry: no other host gets them, nor does the registry itself
    for an address that another host names.
    """
    reply, address = client.request(method, path), f"{client.http.base}/{path}"
    own = True
    internal = is_internal(urlsplit(client.http.base).hostname or "")
    for _ in range(_MOST_REDIRECTS):
        if not (location := _location(reply)):
            return reply
        target = _target(address, location, name, internal=internal)
        own = own and _origin(target) == _origin(urlsplit(address))
        address = target.geturl()
        where = f"{target.path.lstrip('/')}?{target.query}".rstrip("?")
        if own:
            reply = client.request(method, where)
            continue
        reply = client.request_elsewhere(address, method, where)
        if method == "GET" and reply.status in (401, 403):
            raise CannotVerify(
                f"{name} redirects to {target.netloc}, which returned status {reply.status}; "
                "a login is not sent there",
                f"Name the image in IMAGE by its address at {target.netloc}.",
            )
    if _location(reply):
        raise CannotVerify(f"{name} redirects to another address more than {_MOST_REDIRECTS} times")
    return reply


def _location(reply: Reply) -> str:
    return reply.headers.get("Location", "") if reply.status in _STATUSES else ""


def _target(address: str, location: str, name: str, *, internal: bool) -> SplitResult:
    """Return where a redirect leads; raise `CannotVerify` for anything but https elsewhere.

    Only an `internal` registry may choose which service inside this network gets a request.
    """
    try:
        target = urlsplit(urljoin(address, location))._replace(fragment="")
        origin = _origin(target)
        host = target.hostname or ""
        safe = target.scheme == "https" and host and (internal or not is_internal(host))
        if "@" not in target.netloc and (safe or origin == _origin(urlsplit(address))):
            return target
    except ValueError:
        pass
    raise CannotVerify(
        f'{name} redirects to "{one_line(location)}"; expected an address with https://',
        "Check the registry's name in IMAGE, and which server responds there.",
    )


def _origin(address: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port; raise `ValueError` for an invalid port."""
    port = address.port or (443 if address.scheme == "https" else 80)
    return address.scheme, address.hostname, port
