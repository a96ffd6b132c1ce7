"""The platforms of an image in ECR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipe.errors import Unreachable
from pipe.hosts import LOCAL_HOSTS
from pipe.http import Limits
from pipe.http.json_body import loads
from pipe.identity.aws import AwsClient
from pipe.registry import oci_reply, platforms
from pipe.registry.base import CannotVerify
from pipe.secret import Secret

Call = Callable[..., Any]
"""Calls an operation of ECR for the image's repository."""

_LIMITS = Limits(connect=3.0, read=10.0, whole=15.0, body=8 << 20, tries=2, patience=5.0)


def read(aws: AwsClient, call: Call, output: Any) -> frozenset[str]:
    """Return the platforms of the manifest in the output of BatchGetImage.

    The configuration of a single image is a blob, which ECR has elsewhere. Raises `CannotVerify`.
    """
    manifest = _manifest(output)
    if listed := platforms.of_index(manifest):
        return listed
    digest = platforms.config_digest(manifest)
    if not digest:
        return frozenset()
    url = str(call("get_download_url_for_layer", layerDigest=digest).get("downloadUrl", ""))
    return platforms.of_config(_download(aws, url))


def _manifest(output: Any) -> Mapping[str, Any]:
    try:
        manifest = loads(output["images"][0]["imageManifest"])
    except (ValueError, LookupError, TypeError):
        manifest = None
    if not isinstance(manifest, Mapping):
        raise CannotVerify("ECR did not return its manifest")
    return manifest


def _download(aws: AwsClient, url: str) -> Mapping[str, Any]:
    """Return the blob at an address that ECR signed, which is a secret while it is valid."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOCAL_HOSTS:
        raise CannotVerify("ECR did not return the address of its configuration")
    aws.mask.add(Secret(parts.query))
    client = aws.network.client(url, setting="IMAGE", limits=_LIMITS)
    path = f"{parts.path.lstrip('/')}?{parts.query}"
    try:
        reply = client.repeatable("GET", path, transient=lambda reply: reply.outage)
    except Unreachable as error:
        raise CannotVerify.because(error) from error
    return oci_reply.json_object(reply) if reply.ok else {}
