"""AWS and Bitbucket's identity provider on this machine.

moto answers for STS, ECR and Secrets Manager. Before its STS stands a door of our own that
does what AWS does and moto does not: it verifies the web identity.
"""

from tests.sandbox.aws.cloud import ACCOUNT, REGION, ROLE, Cloud
from tests.sandbox.aws.issuer import Issuer

__all__ = ["ACCOUNT", "REGION", "ROLE", "Cloud", "Issuer"]
