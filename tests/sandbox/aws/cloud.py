"""An AWS account behind a real socket."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Sequence
from itertools import cycle
from typing import Any, Self

import boto3
import requests
import trustme
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from pipe.clock import Clock
from tests.sandbox.aws.door import OWNER, AwsFault, Door
from tests.sandbox.aws.iam import Iam, Provider, Role
from tests.sandbox.aws.issuer import Issuer
from tests.sandbox.listener import Listener

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Cloud(Listener):
    """An account with a role that trusts the issuer's repository and environment."""

    def __init__(
        self, clock: Clock, tls: trustme.CA | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.clock = clock
        self.issuer = Issuer(clock)
        self.door = Door(DomainDispatcherApplication(create_backend_app), Iam(ACCOUNT, clock))
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.issue_cert("127.0.0.1").configure_cert(context)
        super().__init__(self.door, context, host)

    def __enter__(self) -> Self:
        super().__enter__()
        self.reset(self.clock)
        return self

    def reset(self, clock: Clock) -> None:
        """Reset to a new account on this clock."""
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        self.clock = clock
        self.issuer = Issuer(clock)
        self.door.iam = Iam(ACCOUNT, clock)
        self.door.clear()
        self.add_provider()
        self.trust(self.policy(f"{self.issuer.repository}:{self.issuer.environment}:*"))

    def add_provider(self, *client_ids: str) -> None:
        """Register the issuer with IAM, with these audiences or its own."""
        known = list(client_ids) or [self.issuer.audience]
        self.door.iam.providers[self.issuer.provider] = Provider(known, self.issuer.keys())

    def trust(self, policy: Any, role: str = ROLE, longest: int = 3600) -> None:
        """Give a role a trust policy."""
        self.door.iam.roles[role] = Role(policy, longest)

    def policy(self, subject: str, operator: str = "StringLike") -> Any:
        """Return a trust policy as people write it by hand."""
        provider = self.issuer.provider
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"},
                    "Action": ["sts:AssumeRoleWithWebIdentity"],
                    "Condition": {
                        "StringEquals": {f"{provider}:aud": self.issuer.audience},
                        operator: {f"{provider}:sub": subject},
                    },
                }
            ],
        }

    def fail(self, operation: str, code: str, message: str = "", **options: Any) -> None:
        """Make calls of an operation fail with an error."""
        self.door.faults.append(AwsFault(operation, code, message, **options))

    def environ(self, *, deployment: bool = True) -> dict[str, str]:
        """Return the variables of a step that assumes the role."""
        return {
            **self.issuer.environ(deployment=deployment),
            "BITBUCKET_STEP_OIDC_TOKEN": self.issuer.token(deployment=deployment),
            "AWS_OIDC_ROLE_ARN": ROLE,
            "AWS_DEFAULT_REGION": REGION,
        }

    def endpoints(self, url: str = "") -> dict[str, str]:
        """Return the variables that point boto3 to this account, or to `url` in front of it."""
        names = ("STS", "ECR", "SECRETS_MANAGER")
        return {f"AWS_ENDPOINT_URL_{name}": url or self.url for name in names}

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's owner."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=OWNER,
            aws_secret_access_key="owner",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def repository(self, name: str = "team/web") -> str:
        """Create a repository in ECR; return its name, including the registry."""
        self.client("ecr").create_repository(repositoryName=name)
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"

    def push(self, tag: str, name: str = "team/web") -> str:
        """Push an empty image to ECR; return its digest."""
        return self._put(name, tag, MANIFEST, {"config": {"digest": _sha256(tag)}, "layers": []})

    def push_index(
        self,
        tag: str,
        digests: list[str],
        name: str = "team/web",
        architectures: Sequence[str] = ("amd64", "arm64"),
    ) -> str:
        """Push an index of images, with a build's attestation at its end; return its digest."""
        entries = [
            {"digest": one, "platform": {"os": "linux", "architecture": architecture}}
            for one, architecture in zip(digests, cycle(architectures), strict=False)
        ]
        attestation = {"digest": _sha256("attestation"), "platform": {"os": "unknown"}}
        return self._put(name, tag, INDEX, {"manifests": [*entries, attestation]})

    def scanned(self, digest: str, answer: Any, name: str = "team/web") -> None:
        """Scan an image with this result."""
        image = {"imageDigest": digest}
        self.client("ecr").start_image_scan(repositoryName=name, imageId=image)
        url = f"{self.url}/moto-api/static/ecr/scan-finding-results"
        result = {**answer, "repositoryName": name, "imageId": image}
        body = {"results": [result], "account_id": ACCOUNT, "region": REGION}
        requests.post(url, json=body, timeout=10).raise_for_status()

    def scanning(self, status: str, times: int) -> None:
        """Have ECR report that often that a scan is not finished; moto has no such state."""
        self.door.answer(
            "DescribeImageScanFindings", {"imageScanStatus": {"status": status}}, times
        )

    def _put(self, name: str, tag: str, media_type: str, parts: Any) -> str:
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, **parts})
        answer = self.client("ecr").put_image(
            repositoryName=name,
            imageTag=tag,
            imageManifest=manifest,
            imageManifestMediaType=media_type,
            imageDigest=_sha256(manifest),
        )
        return str(answer["image"]["imageId"]["imageDigest"])


def scan(**findings: str) -> Any:
    """Return ECR's result of a basic scan; findings by name (- for _) and severity."""
    listed = [
        {"name": name.replace("_", "-"), "severity": grade} for name, grade in findings.items()
    ]
    return {
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {"findings": listed},
    }


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
