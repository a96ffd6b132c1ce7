"""Registries other than ECR, through the distribution API of the Open Container Initiative."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipe.http import Reply
from pipe.http.address import parse
from pipe.http.excerpt import one_line
from pipe.image import Image, is_digest
from pipe.registry import oci_reply, platforms
from pipe.registry.base import CannotVerify, ImageNotFound, RegistryImage
from pipe.registry.oci_client import OciClient
from pipe.registry.redirects import request_manifest

_NEXT_PAGE = re.compile(r"<([^>]+)>")
_TAGS_PER_PAGE = 1000
_MOST_PAGES = 5


class OciRegistry:
    """See `Registry`; with `pin_digest` the digest that `find` returns is the content's own."""

    def __init__(self, client: OciClient, *, pin_digest: bool) -> None:
        self._client = client
        self._address = client.address
        self._pin_digest = pin_digest

    @property
    def url(self) -> str:
        """The registry's address, once it is known whether it uses TLS."""
        return self._client.http.base

    def find(self, image: Image) -> RegistryImage:
        """See `Registry`.

        One request is enough: HEAD, which Docker Hub does not count as a pull, where only existence
        matters, or GET where the digest will be deployed, which has to be the content's own hash.
        """
        path = self._path("manifests", image.digest or image.tag)
        if image.digest or not self._pin_digest:
            head = request_manifest(self._client, self._address.name, "HEAD", path)
            digest = oci_reply.stated_digest(head)
            if head.ok and is_digest(digest):
                return RegistryImage(digest, oci_reply.media_type(head))
        # The manifest itself: for its digest, or for the error code that HEAD has no body for.
        reply = request_manifest(self._client, self._address.name, "GET", path)
        self._check(reply, image)
        if not oci_reply.is_manifest(reply):
            raise CannotVerify(
                f"{self._address.name} did not return a manifest and may not be a registry",
                "Check the registry's name in IMAGE, and which server responds there.",
            )
        digest = f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
        stated = oci_reply.stated_digest(reply) or digest
        if stated != digest:
            raise CannotVerify(
                f"{self._address.name} states the digest {one_line(stated)} for a manifest whose "
                f"digest is {digest}",
                "Find out which server changes the manifest or its headers: a proxy, a mirror or "
                "the registry.",
            )
        return RegistryImage(digest, oci_reply.media_type(reply))

    def platforms(self, image: Image) -> frozenset[str]:
        """See `Registry`; the platform of a single image is in its configuration, a blob."""
        manifest = self._read(image, self._path("manifests", image.digest or image.tag))
        if listed := platforms.of_index(manifest):
            return listed
        digest = platforms.config_digest(manifest)
        config = self._read(image, self._path("blobs", digest)) if digest else {}
        return platforms.of_config(config)

    def _read(self, image: Image, path: str) -> Mapping[str, Any]:
        reply = request_manifest(self._client, self._address.name, "GET", path)
        self._check(reply, image)
        return oci_reply.json_object(reply)

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        tags: list[str] = []
        path = self._path("tags", f"list?n={_TAGS_PER_PAGE}", safe="?=&")
        for _ in range(_MOST_PAGES):
            reply = self._client.request("GET", path)
            self._check(reply, image)
            tags += oci_reply.tags(reply)
            next_page = _NEXT_PAGE.match(reply.headers.get("Link", ""))
            if not next_page:
                break
            try:
                parts = parse(next_page[1], self.url)
            except ValueError:
                raise CannotVerify(
                    f"{self._address.name} names the next page of its tags by an invalid address"
                ) from None
            path = f"{parts.path.lstrip('/')}?{parts.query}"
        return tags[: _MOST_PAGES * _TAGS_PER_PAGE]

    def _check(self, reply: Reply, image: Image) -> None:
        """Raise the error for a reply that is not a success."""
        if reply.status == 404:
            raise self._not_found(reply, image)
        if reply.status in (401, 403):
            raise self._client.denied(reply.status)
        if not reply.ok:
            raise CannotVerify(f"{self._address.name} returned status {reply.status}")

    def _not_found(self, reply: Reply, image: Image) -> Exception:
        """Return `ImageNotFound` only for a registry's own error: any web server returns 404."""
        codes = oci_reply.error_codes(reply)
        if not codes:
            return CannotVerify(
                f"{self._address.name} returned status 404 and may not be a registry",
                "Check the registry's name in IMAGE.",
            )
        if "NAME_UNKNOWN" in codes:
            return ImageNotFound(
                f"there is no repository {image.repository} at {self._address.name}"
            )
        missing = image.digest or f'tag "{image.tag}"'
        return ImageNotFound(f"the repository {image.repository} has no {missing}")

    def _path(self, what: str, which: str, safe: str = ":") -> str:
        return f"v2/{quote(self._address.repository)}/{what}/{quote(which, safe=safe)}"
