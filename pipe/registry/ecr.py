"""Private registries of AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pipe.clock import Deadline
from pipe.errors import PlatformError
from pipe.hosts import EcrAddress
from pipe.identity import refusals
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.image import Image
from pipe.registry.base import INDEXES, MANIFESTS, Absent, CannotAsk, Finding, Found
from pipe.settings import AwsSettings

_SCAN_PATIENCE = 180.0
_SCAN_PAUSE = 5.0
_MOST_PAGES = 20
_ABSENT = ("ImageNotFoundException", "RepositoryNotFoundException")
_UNFINISHED = ("IN_PROGRESS", "PENDING")
_FINISHED = ("COMPLETE", "ACTIVE")


class EcrRegistry:
    """See `Registry`. `account` is the one we are known in, empty when not known."""

    def __init__(
        self, aws: AwsClient, wanted: AwsSettings, address: EcrAddress, account: str
    ) -> None:
        self._aws = aws
        self._wanted = wanted
        self._address = address
        self._account = account

    @property
    def url(self) -> str:
        """The address that is asked."""
        return self._aws.endpoint("ecr", self._address.region)

    @property
    def foreign(self) -> str:
        """A sentence on the registry being another account's, empty when it is not."""
        if not self._account or self._account == self._address.account:
            return ""
        return (
            f"The registry belongs to account {self._address.account}, the role to "
            f"{self._account}: the repository's own policy must let that account in."
        )

    def find(self, image: Image) -> Found:
        """See `Registry`."""
        answer = self._ask("describe_images", image, imageIds=[_image_id(image)])
        details = answer.get("imageDetails") or []
        if not details:
            raise Absent(_missing(image))
        digest = str(details[0].get("imageDigest", ""))
        if not digest:
            raise CannotAsk("ECR did not tell its digest")
        media_type = str(details[0].get("imageManifestMediaType", ""))
        pushed: datetime | None = details[0].get("imagePushedAt")
        return Found(digest, media_type, pushed and pushed.astimezone(UTC))

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        pages = self._pages("list_images", image, filter={"tagStatus": "TAGGED"})
        return [
            entry["imageTag"]
            for page in pages
            for entry in page.get("imageIds") or []
            if "imageTag" in entry
        ]

    def findings(self, image: Image, found: Found) -> Sequence[Finding]:
        """What the scan of an image found; raises `CannotAsk` when there is none.

        A list of images has the findings of all its images. A scan that goes on is waited for:
        it begins with the push, often a minute before us.
        """
        digests = self._platforms(image, found) if found.media_type in INDEXES else [found.digest]
        deadline = Deadline.after(self._aws.network.clock, _SCAN_PATIENCE)
        every = [one for digest in digests for one in self._scan(image, digest, deadline)]
        return list(dict.fromkeys(every))

    def _scan(self, image: Image, digest: str, deadline: Deadline) -> Iterator[Finding]:
        def ask() -> Iterator[Mapping[str, Any]]:
            which = {"imageDigest": digest}
            return self._pages("describe_image_scan_findings", image, imageId=which)

        pages = ask()
        first = next(pages)
        while (status := _status(first)) in _UNFINISHED and not deadline.passed():
            self._aws.network.clock.sleep(_SCAN_PAUSE)
            pages = ask()
            first = next(pages)
        if status not in _FINISHED:
            raise CannotAsk(
                f"its scan in ECR is not finished (state {status or 'unknown'}) after "
                f"{_SCAN_PATIENCE:g} s",
                "Run the step again once the scan is done; ECR's console shows what holds it up.",
            )
        for page in chain([first], pages):
            yield from _findings(page.get("imageScanFindings") or {})

    def _platforms(self, image: Image, found: Found) -> Sequence[str]:
        """The images that a list consists of; build attestations in it are none."""
        answer = self._ask(
            "batch_get_image",
            image,
            imageIds=[{"imageDigest": found.digest}],
            acceptedMediaTypes=list(MANIFESTS),
        )
        try:
            listed = json.loads(answer["images"][0]["imageManifest"])["manifests"]
            return [
                entry["digest"]
                for entry in listed
                if entry.get("platform", {}).get("os") != "unknown"
            ]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise CannotAsk("ECR did not tell which images it is a list of") from None

    def _pages(self, operation: str, image: Image, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        token: Mapping[str, str] = {}
        for _ in range(_MOST_PAGES):
            page = self._ask(operation, image, **arguments, **token)
            yield page
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _ask(self, operation: str, image: Image, **arguments: Any) -> Any:
        return self._explained(
            image,
            lambda: self._aws.call(
                "ecr",
                operation,
                self._address.region,
                registryId=self._address.account,
                repositoryName=image.repository,
                **arguments,
            ),
        )

    def _explained(self, image: Image, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except PlatformError as trouble:
            raise CannotAsk.because(trouble) from trouble
        except AwsRefusal as refusal:
            if error := refusals.of_call(refusal, f"asking ECR for {image}", self._wanted):
                raise error from refusal
            raise self._explain(refusal, image) from refusal

    def _explain(self, refusal: AwsRefusal, image: Image) -> Exception:
        if refusal.code == "RepositoryNotFoundException":
            return Absent(
                f"there is no repository {image.repository} in account {self._address.account}, "
                f"{self._address.region}"
            )
        if refusal.code in _ABSENT:
            return Absent(_missing(image))
        if refusal.code == "ScanNotFoundException":
            return CannotAsk(
                "ECR has no scan of it",
                "Turn on scanning on push for the repository, and push the image again.",
            )
        if refusal.code.startswith("AccessDenied"):
            who = self._wanted.role_arn or "the user of AWS_ACCESS_KEY_ID"
            return CannotAsk(
                f"AWS does not let {who} ask ECR ({refusal.operation})",
                "Allow it ecr:DescribeImages, ecr:ListImages, ecr:BatchGetImage and "
                f"ecr:DescribeImageScanFindings on the repository. {self.foreign}".strip(),
            )
        return CannotAsk(f'ECR answers {refusal.code}, "{refusal.said}"', self.foreign)


def _image_id(image: Image) -> Mapping[str, str]:
    """With both given the digest decides, as it does when the image is pulled."""
    return {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}


def _missing(image: Image) -> str:
    if image.digest:
        return f"the repository {image.repository} has no image {image.digest}"
    return f'the repository {image.repository} has no tag "{image.tag}"'


def _status(page: Mapping[str, Any]) -> str:
    return str((page.get("imageScanStatus") or {}).get("status", ""))


def _findings(told: Mapping[str, Any]) -> Iterator[Finding]:
    for entry in told.get("findings") or []:
        yield Finding(str(entry.get("name", "?")), str(entry.get("severity", "UNDEFINED")))
    for entry in told.get("enhancedFindings") or []:
        package = entry.get("packageVulnerabilityDetails") or {}
        name = package.get("vulnerabilityId") or entry.get("title") or "?"
        yield Finding(str(name), str(entry.get("severity", "UNDEFINED")))
