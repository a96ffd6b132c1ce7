"""Tenants, the portal itself, and who is asking."""

from __future__ import annotations

from flask import Blueprint, Response, g

from tests.sandbox.replies import answer, listing
from tests.sandbox.world import World


def tenant_routes(world: World) -> Blueprint:
    """What a client asks before it knows a tenant's id."""
    routes = Blueprint("tenants", __name__)

    @routes.get("/admin/GetTenantsForUser")
    def for_user() -> Response:
        allowed = [tenant for tenant in world.tenants if g.token.opens(tenant)]
        return listing(world, [tenant.body() for tenant in allowed])

    @routes.get("/adminproxy/GetTenantNames")
    def names() -> Response:
        # Nothing tells whether this list is filtered; the wider form is the harder one to use.
        return listing(world, [tenant.body() for tenant in world.tenants])

    @routes.get("/admin/GetUserRoleInfo")
    def role_info() -> Response:
        return answer(g.token.role_info())

    @routes.get("/v3/features/system")
    def system() -> Response:
        return answer(
            {
                "IsAwsCloudEnabled": True,
                "IsGoogleCloudEnabled": False,
                "IsAzureCloudEnabled": False,
                "AwsRegions": ["us-west-2", "us-east-1"],
                "DefaultAwsAccount": "111122223333",
                "DefaultAwsRegion": "us-west-2",
                "ResourceNamePrefix": "duploservices",
                "IsOtpNeeded": False,
                "IsAwsAdminJITEnabled": False,
                "TenantNameMaxLength": 12,
            }
        )

    @routes.get("/v3/features/tenant/<tid>")
    def features(tid: str) -> Response:
        return answer(g.tenant.features())

    @routes.get("/v3/version")
    def version() -> Response:
        return answer({"Version": "sandbox"})

    return routes
