"""Tenants, the portal itself, and the token's owner."""

from __future__ import annotations

from flask import Blueprint, Response

from tests.sandbox.current import current_tenant, current_token, current_world
from tests.sandbox.replies import answer, listing, refusal
from tests.sandbox.routes import V2

routes = Blueprint("tenants", __name__)


@routes.get("/admin/GetTenantsForUser")
def for_user() -> Response:
    allowed = [tenant for tenant in current_world().tenants if current_token().opens(tenant)]
    return listing([tenant.body() for tenant in allowed])


@routes.get("/adminproxy/GetTenantNames")
def names() -> Response:
    # Whether this list is filtered is not documented; unfiltered is the harder case for a client.
    return listing([tenant.body() for tenant in current_world().tenants])


@routes.get("/admin/GetUserRoleInfo")
def role_info() -> Response:
    return answer(current_token().role_info())


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
    return answer(current_tenant().features())


@routes.get(f"{V2}/GetAwsConsoleTokenUrl")
def aws_credentials(tid: str) -> Response:
    access = current_world().aws_access
    if access.text or access.status >= 400:
        return refusal(access.status, access.text)
    return answer(access.body())


@routes.get("/v3/version")
def version() -> Response:
    return answer({"Version": "sandbox"})
