"""Pull through caches: repositories that ECR fills from another registry at the first pull."""

from __future__ import annotations

from pipe.errors import PipeError
from pipe.hosts import EcrAddress
from pipe.identity.aws import AwsClient, AwsRefusal

_ROOT = "ROOT"
"""The prefix of a rule for every repository that no other rule covers."""


def upstream(aws: AwsClient, address: EcrAddress, repository: str) -> str | None:
    """Return the registry that a repository is filled from, empty if it is no cache.

    None where AWS does not show the rules. A registry has at most 50, which fit into one page.
    """
    try:
        output = aws.call(
            "ecr",
            "describe_pull_through_cache_rules",
            address.region,
            registryId=address.account,
        )
    except (AwsRefusal, PipeError):
        return None
    rules = {
        str(rule.get("ecrRepositoryPrefix", "")): str(rule.get("upstreamRegistryUrl", ""))
        for rule in output.get("pullThroughCacheRules") or []
        if isinstance(rule, dict)
    }
    matching = [prefix for prefix in rules if repository.startswith(f"{prefix}/")]
    prefix = max(matching, key=len, default=_ROOT)
    return rules.get(prefix, "")
