"""The sandbox's API server answers as a real one does: access, rights, selection, logs."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.conformance import kubernetes_objects
from tests.sandbox import Behaviour, World, WsgiAdapter, create_app
from tests.sandbox.kubernetes.api import create_kubernetes_app
from tests.sandbox.kubernetes.objects import KINDS
from tests.support.fake_clock import FakeClock

PORTAL = "https://portal.example"
CORE = "/api/v1/namespaces/duploservices-dev01"
APPS = "/apis/apps/v1/namespaces/duploservices-dev01"
NEW_ROUTE, OLD_ROUTE = (
    "v3/subscriptions/{}/k8s/jitAccess",
    "subscriptions/{}/GetK8ClusterConfigByTenant",
)


class Client:
    """A client of the portal, and of the API server once it has access."""

    def __init__(self, *, enabled: bool = True, portal: Any = "new") -> None:
        self.clock = FakeClock()
        self.world = World(self.clock, portal=portal)
        self.world.kubernetes.enabled = enabled
        self.tenant = self.world.add_tenant("dev01")
        self.web = self.world.add_service("web", "team/web:1", replicas=2)
        self.session = requests.Session()
        self.session.mount(PORTAL, WsgiAdapter(create_app(self.world), self.clock))
        server = WsgiAdapter(create_kubernetes_app(self.world), self.clock)
        self.session.mount(self.world.kubernetes.server, server)
        self.token = ""

    def access(self, route: str = NEW_ROUTE) -> requests.Response:
        """Ask the portal for access, and use its token from then on."""
        headers = {"Authorization": f"Bearer {self.world.token}"}
        reply = self.session.get(f"{PORTAL}/{route.format(self.tenant.id)}", headers=headers)
        if reply.ok:
            self.token = reply.json()["Token"]
        return reply

    def send(self, path: str, method: str = "GET", body: Any = None, **query: str) -> Any:
        """Return status and content of a request to the API server."""
        reply = self.session.request(
            method,
            f"{self.world.kubernetes.server}{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            params=query,
            json=body,
        )
        is_json = "json" in reply.headers["Content-Type"]
        return reply.status_code, reply.json() if is_json else reply.text

    def names(self, path: str, **query: str) -> list[str]:
        """Return the names of what a list holds."""
        status, content = self.send(path, **query)
        assert status == 200, content
        return [item["metadata"]["name"] for item in content["items"]]


@pytest.fixture
def client() -> Client:
    client = Client()
    assert client.access().status_code == 200
    return client


def test_no_access_is_handed_out_unless_a_test_asks_for_it() -> None:
    """As on a portal that has not the routes."""
    client = Client(enabled=False)
    assert [client.access(route).status_code for route in (NEW_ROUTE, OLD_ROUTE)] == [404, 404]


def test_an_older_portal_hands_out_access_by_its_own_route() -> None:
    client = Client(portal="old")
    assert client.access(NEW_ROUTE).status_code == 404
    assert client.access(OLD_ROUTE).json()["DefaultNamespace"] == "duploservices-dev01"


def test_a_token_ends(client: Client) -> None:
    """After its life, and when it is revoked."""
    assert client.send(f"{CORE}/pods")[0] == 200
    client.clock.advance(client.world.kubernetes.lifetime)
    status, content = client.send(f"{CORE}/pods")
    assert (status, content["message"]) == (401, "Unauthorized")
    client.access()
    client.world.kubernetes.revoke()
    assert client.send(f"{CORE}/pods")[0] == 401


def test_a_missing_right_is_named_and_reviews_agree(client: Client) -> None:
    """In the words of Kubernetes, with the account and the namespace."""
    client.world.kubernetes.rights -= {"list events", "get pods/log"}
    status, content = client.send(f"{CORE}/events")
    assert (status, content["reason"]) == (403, "Forbidden")
    assert 'cannot list resource "events" in API group ""' in content["message"]
    assert _allowed(client, "list", "events") is False
    assert _allowed(client, "get", "pods", "log") is False
    assert _allowed(client, "list", "pods") is True
    assert _allowed(client, "list", "pods", namespace="default") is False
    assert client.send("/api/v1/namespaces/default/pods")[0] == 403


def test_selectors_choose_among_objects(client: Client) -> None:
    """By labels and by fields; a field that cannot be selected by is refused."""
    client.world.add_service("api", "team/api:1")
    (of_api,) = client.names(f"{CORE}/pods", labelSelector="app=api")
    assert of_api.startswith("api-")
    assert len(client.names(f"{CORE}/pods", labelSelector="app in (web, api)")) == 3
    assert client.names(f"{CORE}/pods", labelSelector="app!=web") == [of_api]
    assert client.names(f"{APPS}/deployments", fieldSelector="metadata.name=web") == ["web"]
    assert client.send(f"{CORE}/pods", fieldSelector="spec.image=x")[0] == 400


def test_workloads_are_listed_by_their_kind(client: Client) -> None:
    """What native docker hosts run is not in Kubernetes at all."""
    client.world.add_service("store", "team/store:1", statefulset=True)
    client.world.add_service("agent", "team/agent:1", daemonset=True)
    client.world.add_service("native", "team/native:1", platform=0)
    assert client.names(f"{APPS}/deployments") == ["web"]
    assert client.names(f"{APPS}/statefulsets") == ["store"]
    assert client.names(f"{APPS}/daemonsets") == ["agent"]
    assert len(client.names(f"{APPS}/replicasets")) == 1
    assert not [name for name in client.names(f"{CORE}/pods") if name.startswith("native")]


def test_the_log_from_before_a_crash_can_be_read(client: Client) -> None:
    """Only once a container has ended and was started again."""
    client.world.behave("team/web:2", Behaviour("crash", log=("starting", "no database")))
    client.web.set_images({"duplo-main-container": "team/web:2"}, "ci")
    client.clock.advance(1.0)
    name = next(pod.name for pod in client.web.pods if pod.image == "team/web:2")
    path = f"{CORE}/pods/{name}/log"
    assert "is waiting to start: ContainerCreating" in client.send(path)[1]["message"]
    client.clock.advance(1.5)
    status, content = client.send(path, previous="true")
    assert (status, content["message"].startswith("previous terminated")) == (400, True)
    client.clock.advance(20.0)
    assert client.send(path, previous="true", tailLines="1") == (200, "no database\n")


def test_a_failing_probe_is_reported_again_and_again(client: Client) -> None:
    """Until the kubelet's limit for one object, after which the event stands still."""
    client.world.behave("team/web:2", Behaviour("never-ready"))
    client.web.set_images({"duplo-main-container": "team/web:2"}, "ci")
    client.clock.advance(12.0)
    counts = [_probe_failures(client)]
    client.clock.advance(100.0)
    counts.append(_probe_failures(client))
    assert counts == [11, 25]


def test_events_of_the_scheduler_have_no_first_moment_and_no_count(client: Client) -> None:
    """They are reported through the newer API; of old, clients fail on that."""
    client.world.behave("team/web:2", Behaviour("unschedulable"))
    client.web.set_images({"duplo-main-container": "team/web:2"}, "ci")
    _, content = client.send(f"{CORE}/events", fieldSelector="reason=FailedScheduling")
    (event,) = content["items"]
    assert event["eventTime"]
    assert event["firstTimestamp"] is None
    assert "count" not in event


def test_events_name_the_very_objects_that_they_are_about(client: Client) -> None:
    """By uid, because a StatefulSet's pods come back under the same names."""
    client.world.add_service("store", "team/store:1", statefulset=True)
    client.world.service("store").restart()
    client.clock.advance(30.0)
    _, pods = client.send(f"{CORE}/pods")
    _, sets = client.send(f"{APPS}/statefulsets")
    known = {item["metadata"]["uid"] for item in (*pods["items"], *sets["items"])}
    _, content = client.send(f"{CORE}/events", fieldSelector="involvedObject.name=store-0")
    about = {event["involvedObject"]["uid"] for event in content["items"]}
    assert len(about) == 2, "the pod from before and the present one"
    assert len(about & known) == 1
    _, content = client.send(f"{CORE}/events", fieldSelector="involvedObject.kind=StatefulSet")
    assert {event["involvedObject"]["uid"] for event in content["items"]} <= known


def test_every_object_fits_kubernetes_own_schema(client: Client) -> None:
    """While pods come, fail and go: no unknown key, no wrong type, nothing missing."""
    client.world.add_service("store", "team/store:1", statefulset=True)
    client.world.add_service("agent", "team/agent:1", daemonset=True, inits={"migrate": "team/m:1"})
    client.world.behave("team/web:2", Behaviour("crash"))
    client.web.set_images({"duplo-main-container": "team/web:2"}, "ci")
    client.web.restart()
    kinds = {
        **{f"{APPS}/{kind.lower()}s": kind for kind in KINDS.values()},
        f"{CORE}/pods": "Pod",
        f"{CORE}/events": "Event",
    }
    for _ in range(6):
        for path, kind in kinds.items():
            _, content = client.send(path)
            version = "v1" if path.startswith(CORE) else "apps/v1"
            for item in content["items"]:
                body = {"apiVersion": version, "kind": kind, **item}
                kubernetes_objects.check(body)
        client.clock.advance(1.3)


def _probe_failures(client: Client) -> int:
    _, content = client.send(f"{CORE}/events", fieldSelector="reason=Unhealthy")
    return next(int(event["count"]) for event in content["items"])


def _allowed(
    client: Client, verb: str, resource: str, sub: str = "", namespace: str = "duploservices-dev01"
) -> bool:
    attributes = {"namespace": namespace, "verb": verb, "resource": resource, "subresource": sub}
    status, content = client.send(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "POST",
        {"spec": {"resourceAttributes": attributes}},
    )
    assert status == 201
    return bool(content["status"]["allowed"])
