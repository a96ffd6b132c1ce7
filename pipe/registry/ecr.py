"""Private ECR registries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipe.errors import IdentityError, PlatformError
from pipe.hosts import EcrAddress
from pipe.identity import refusals
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.image import Image, is_digest
from pipe.registry import ecr_platforms, ecr_scan, pull_through
from pipe.registry.base import (
    INDEXES,
    MANIFESTS,
    CannotVerify,
    Finding,
    ImageNotFound,
    RegistryImage,
)
from pipe.settings import AwsSettings

_PAGE_SIZE = 1000
"""Findings in one page; 1000 is the most that ECR allows, 100 its default."""
_MOST_PLATFORMS = 50


class EcrRegistry:
    """See `Registry`. `account` is the AWS account of the run's role, empty when not known."""

    def __init__(
        self, aws: AwsClient, settings: AwsSettings, address: EcrAddress, account: str
    ) -> None:
        self._aws = aws
        self._settings = settings
        self._address = address
        self._account = account

    @property
    def url(self) -> str:
        """The address of the ECR API."""
        return self._aws.endpoint("ecr", self._address.region)

    @property
    def cross_account_note(self) -> str:
        """A sentence on the policy that another account needs, empty in the same account."""
        if not self._account or self._account == self._address.account:
            return ""
        return (
            f"The registry belongs to account {self._address.account}, the role to "
            f"{self._account}: the repository's policy must allow that account."
        )

    def find(self, image: Image) -> RegistryImage:
        """See `Registry`."""
        output = self._call("describe_images", image, imageIds=[_image_id(image)])
        listed = output.get("imageDetails") or []
        if not listed:
            raise ImageNotFound(_not_found(image))
        details = listed[0] or {}
        digest = str(details.get("imageDigest", ""))
        if not is_digest(digest):
            raise CannotVerify("ECR did not return its digest")
        media_type = str(details.get("imageManifestMediaType", ""))
        pushed: datetime | None = details.get("imagePushedAt")
        return RegistryImage(digest, media_type, pushed and pushed.astimezone(UTC))

    def upstream(self, image: Image) -> str | None:
        """Return the registry that ECR caches; see `pull_through.upstream`."""
        return pull_through.upstream(self._aws, self._address, image.repository)

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        pages = self._pages("list_images", image, filter={"tagStatus": "TAGGED"})
        return [
            entry["imageTag"]
            for page in pages
            for entry in page.get("imageIds") or []
            if entry and "imageTag" in entry
        ]

    def findings(self, image: Image, registry_image: RegistryImage) -> Sequence[Finding]:
        """Return the findings of an image's scan; raise `CannotVerify` without a complete one.

        An image index has the findings of all its images.
        """
        digests = [registry_image.digest]
        if registry_image.media_type in INDEXES:
            index = self._manifest(image, {"imageDigest": registry_image.digest})
            digests = _platform_digests(index)

        def pages(digest: str) -> Iterator[Mapping[str, Any]]:
            operation, image_id = "describe_image_scan_findings", {"imageDigest": digest}
            return self._pages(operation, image, imageId=image_id, maxResults=_PAGE_SIZE)

        return ecr_scan.read(pages, digests, self._aws.network.clock)

    def platforms(self, image: Image) -> frozenset[str]:
        """See `Registry`."""

        def call(operation: str, **arguments: Any) -> Any:
            return self._call(operation, image, **arguments)

        return ecr_platforms.read(self._aws, call, self._manifest(image, _image_id(image)))

    def _manifest(self, image: Image, image_id: Mapping[str, str]) -> Any:
        types = list(MANIFESTS)
        return self._call("batch_get_image", image, imageIds=[image_id], acceptedMediaTypes=types)

    def _pages(self, operation: str, image: Image, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        """Yield at most 20 pages; the last one has a `nextToken` if there are more."""
        token: Mapping[str, str] = {}
        for _ in range(ecr_scan.MOST_PAGES):
            page = self._call(operation, image, **arguments, **token)
            yield page
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _call(self, operation: str, image: Image, **arguments: Any) -> Any:
        try:
            return self._aws.call(
                "ecr",
                operation,
                self._address.region,
                registryId=self._address.account,
                repositoryName=image.repository,
                **arguments,
            )
        except PlatformError as error:
            raise CannotVerify.because(error) from error
        except IdentityError as error:
            raise self._without_identity(error) from error
        except AwsRefusal as refusal:
            what = f"looking up {image} in ECR"
            identity_error = refusals.of_call(refusal, what, self._settings)
            if identity_error:
                raise self._without_identity(identity_error) from refusal
            raise self._explain(refusal, image) from refusal

    def _without_identity(self, error: IdentityError) -> Exception:
        """Return the error for credentials that do not work, which only configured ones must."""
        optional = not (self._settings.given or self._settings.portal_required)
        return CannotVerify.because(error) if optional else error

    def _explain(self, refusal: AwsRefusal, image: Image) -> Exception:
        if refusal.code == "RepositoryNotFoundException":
            return ImageNotFound(
                f"there is no repository {image.repository} in account {self._address.account}, "
                f"{self._address.region}"
            )
        if refusal.code == "ImageNotFoundException":
            return ImageNotFound(_not_found(image))
        if refusal.code == "ScanNotFoundException":
            return CannotVerify(
                "ECR has no scan of it",
                "Turn on scanning on push for the repository, and push the image again.",
            )
        if refusal.code.startswith("AccessDenied"):
            return CannotVerify(
                f"AWS does not allow {self._settings.owner} to call ECR ({refusal.operation})",
                "Allow it ecr:DescribeImages, ecr:ListImages, ecr:BatchGetImage and "
                "ecr:DescribeImageScanFindings on the repository. "
                f"{self.cross_account_note}".strip(),
            )
        return CannotVerify(
            f'ECR returned {refusal.code}, "{refusal.message}"', self.cross_account_note
        )


def _platform_digests(output: Any) -> list[str]:
    """Return the digests in an index, without build attestations.

    Raises `CannotVerify` unless each can be looked up.
    """
    try:
        listed = json.loads(output["images"][0]["imageManifest"])["manifests"]
        digests = [
            str(one["digest"]) for one in listed if one.get("platform", {}).get("os") != "unknown"
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        digests = []
    if not digests or not all(map(is_digest, digests)):
        raise CannotVerify("ECR did not return the images in its index")
    if len(digests) > _MOST_PLATFORMS:
        raise CannotVerify(
            f"its index lists {len(digests)} images; the scans of at most {_MOST_PLATFORMS} are "
            "read",
            "Push an index with fewer platforms.",
        )
    return digests


def _image_id(image: Image) -> Mapping[str, str]:
    """Identify an image; the digest takes precedence over the tag, as in a pull."""
    return {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}


def _not_found(image: Image) -> str:
    if image.digest:
        return f"the repository {image.repository} has no image {image.digest}"
    return f'the repository {image.repository} has no tag "{image.tag}"'
