"""Names that the portal gives a tenant's objects in Kubernetes."""


def namespace_of(tenant: str) -> str:
    """Return the namespace that holds the objects of a tenant, given by name."""
    return f"duploservices-{tenant}"


def account_of(tenant: str) -> str:
    """Return the service account whose token the portal hands out."""
    return f"{namespace_of(tenant)}-edit-user"
