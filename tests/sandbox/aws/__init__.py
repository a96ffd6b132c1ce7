"""AWS and Bitbucket's identity provider on this machine.

moto implements STS, ECR and Secrets Manager. The door in front of it adds what moto lacks: it
verifies web identities as AWS does.
"""

from tests.sandbox.aws.cloud import ACCOUNT, REGION, ROLE, Cloud
from tests.sandbox.aws.issuer import Issuer

__all__ = ["ACCOUNT", "REGION", "ROLE", "Cloud", "Issuer"]
