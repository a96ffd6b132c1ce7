"""Services as the portal shows them."""

from __future__ import annotations

from typing import Any

from tests.sandbox.rollout import active
from tests.sandbox.service import Service
from tests.sandbox.stamp import stamp

DOMAIN = "apps.example.com"


def service_body(service: Service) -> dict[str, Any]:
    """Return the replication controller; this counts as a read of the service."""
    prefix = f"{service.name}-{service.tenant.name}" if service.lb else ""
    body: dict[str, Any] = {
        "Name": service.name,
        "AppName": None,
        "Index": 0,
        "TenantId": service.tenant.id,
        "State": None,
        "Replicas": service.replicas,
        "ReplicasPrev": service.replicas_prev,
        "ReplicasMatchingAsgName": service.asg,
        "IsDaemonset": service.daemonset,
        "ForceStatefulSet": service.statefulset,
        "IsInfraDeployment": False,
        **service.flags,
        "Tags": [],
        "DnsPrfx": prefix,
        "ElbDnsName": prefix,
        "ParentDomain": DOMAIN if service.lb else "",
        "Fqdn": f"{prefix}.{DOMAIN}" if service.lb else "",
        "FqdnEx": "",
        "LastDeployedBy": service.last_deployed_by,
        "LastDeployedAt": stamp(service.last_deployed_at) if service.last_deployed_at else None,
        "ContainerImageHistory": list(service.history) if service.keeps_history else [],
        "K8sWorkerOs": 0,
        "Template": _template(service),
    }
    if service.hpa is not None:
        body["HPASpecs"] = _autoscaler(service, service.hpa)
    return body | _active_count(service)


def _active_count(service: Service) -> dict[str, Any]:
    """Return `ReplicasActive`: missing on old portals, and on flaky ones shortly after a change."""
    service.looks += 1
    mode = service.replicas_active
    if mode is False or (mode == "flaky" and service.looks == 1):
        return {}
    if mode == "flaky" and service.looks == 2:
        return {"ReplicasActive": None}
    pods = active(service)
    if mode == "ready":
        return {"ReplicasActive": sum(pod.ready for pod in pods)}
    return {"ReplicasActive": len(pods) if mode == "existing" else service.wanted}


def _template(service: Service) -> dict[str, Any]:
    listeners = listener_bodies(service)
    return {
        "Name": service.name,
        "TenantId": service.tenant.id,
        "State": None,
        "AgentPlatform": service.platform,
        "Cloud": service.cloud,
        "AllocationTags": service.allocation_tags,
        "Containers": [{"Name": service.name, "Image": service.main_image}],
        "InitContainers": [],
        "Interfaces": [{"NetworkId": "default"}],
        "OtherDockerConfig": service.other_docker_config,
        "OtherDockerHostConfig": "",
        "ExtraConfig": service.extra_config,
        "Volumes": "",
        "Commands": [],
        "DeviceIds": [],
        "LBCCount": len(listeners),
        "ImageUpdateTime": service.image_update_time,
        "RestartTime": service.restart_time,
        "IsReadOnly": False,
        "HelmReleaseName": None,
        "BaseVersion": None,
        "LbConfigsVersion": None,
        "LBConfigurations": {
            f"{service.name}-tcp-{listener['Port']}": listener for listener in listeners
        },
    }


def _autoscaler(service: Service, limits: tuple[int, int]) -> dict[str, Any]:
    return {
        "minReplicas": limits[0],
        "maxReplicas": limits[1],
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet" if service.statefulset else "Deployment",
            "name": service.name,
        },
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 70},
                },
            }
        ],
    }


def listener_bodies(service: Service) -> list[dict[str, Any]]:
    """Return the service's listeners; a service without a load balancer has none."""
    if service.lb is None:
        return []
    return [
        {
            "ReplicationControllerName": service.name,
            "TenantId": service.tenant.id,
            "State": None,
            "LbType": 1,
            "Port": "8080",
            "ExternalPort": 443,
            "HostPort": 30080,
            "Protocol": "HTTP",
            "IsInternal": False,
            "IsNative": False,
            "ForHealthCheck": False,
            "CertificateArn": None,
            "HealthCheckUrl": "/health",
            "HealthCheckConfig": {
                "HealthyThresholdCount": 3,
                "UnhealthyThresholdCount": 3,
                "HealthCheckTimeoutSeconds": 5,
                "HealthCheckIntervalSeconds": 10,
                "HttpSuccessCode": "200-399",
                "GrpcSuccessCode": None,
            },
            "DnsName": None,
            "CloudName": f"duplo-{service.name}",
            "FrontendIp": None,
            "VirtualIPAddress": None,
            "HostNames": None,
            "TgCount": 1,
            "TgArn": None,
            "LbIndex": 0,
            "BeProtocolVersion": None,
            "CustomCidrs": [],
            "SkipHttpToHttps": False,
            "SetIngressHealthCheck": False,
            "Cloud": service.cloud,
            **service.lb,
        }
    ]


def load_balancer_body(service: Service) -> dict[str, Any] | None:
    """Return the AWS load balancer in front of the service, if there is one."""
    if service.lb is None:
        return None
    scheme = "internal" if service.lb.get("IsInternal") else "internet-facing"
    name = f"duplo-{service.name}"
    return {
        "DNSName": f"{name}-1234.{service.tenant.region}.elb.example.com",
        "LoadBalancerName": name,
        "LoadBalancerArn": f"arn:aws:elasticloadbalancing:{service.tenant.region}:"
        f"111122223333:loadbalancer/app/{name}/50dc6c495c0c9188",
        "Scheme": {"Value": scheme},
        "State": {"Code": {"Value": "active"}, "Reason": None},
        "Type": {"Value": "application"},
        "VpcId": "vpc-0a1b2c3d4e5f60718",
    }
