"""Kubernetes' spelling of the keys in a pod, for texts in which people typed them in any case."""

from __future__ import annotations

from typing import Any

_OPAQUE = frozenset(
    (
        *("labels", "annotations", "matchLabels", "nodeSelector"),
        *("limits", "requests", "options", "volumeAttributes"),
    )
)
"""Keys below which the keys are the user's own."""
_KNOWN = """
name value valueFrom secretKeyRef configMapKeyRef fieldRef resourceFieldRef key optional fieldPath
apiVersion containerName resource divisor prefix secretRef configMapRef
mountPath mountPropagation readOnly recursiveReadOnly subPath subPathExpr
secret secretName items path mode defaultMode configMap emptyDir medium sizeLimit projected sources
downwardAPI serviceAccountToken audience expirationSeconds csi driver fsType nodePublishSecretRef
hostPath type nfs server persistentVolumeClaim claimName ephemeral volumeClaimTemplate metadata
spec accessModes storageClassName resources claims azureFile azureDisk shareName diskName diskURI
cachingMode kind awsElasticBlockStore volumeID partition gcePersistentDisk pdName flexVolume
runAsUser runAsGroup runAsNonRoot runAsUserName privileged allowPrivilegeEscalation capabilities
add drop readOnlyRootFilesystem procMount seLinuxOptions user role level seccompProfile
localhostProfile appArmorProfile
fsGroup fsGroupChangePolicy supplementalGroups supplementalGroupsPolicy sysctls
operator effect tolerationSeconds nodeAffinity podAffinity podAntiAffinity
requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution
nodeSelectorTerms matchExpressions matchFields values weight preference podAffinityTerm
labelSelector topologyKey namespaces namespaceSelector matchLabelKeys mismatchLabelKeys
ip hostnames nameservers searches
"""
_SPELLING = {word.casefold(): word for word in (*_KNOWN.split(), *_OPAQUE)}


def canonical(value: Any, key: str = "") -> Any:
    """Return a value from below `key` with every key of Kubernetes in its own spelling.

    Keys that are the user's own stay as they are, and so do names that are not known here but for
    their first letter. Null counts as absent.
    """
    if isinstance(value, list):
        return [canonical(one) for one in value]
    if not isinstance(value, dict) or key in _OPAQUE:
        return value
    spelled = ((_spelled(name), one) for name, one in value.items() if one is not None)
    return {name: canonical(one, name) for name, one in spelled}


def _spelled(name: str) -> str:
    return _SPELLING.get(name.casefold(), f"{name[:1].lower()}{name[1:]}")
