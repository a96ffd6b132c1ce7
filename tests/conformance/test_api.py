"""The sandbox responds as the API is documented, quirks included."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from tests.conformance.conftest import Client, connect
from tests.conformance.models import ConformanceError, check_exchange, check_log
from tests.sandbox import Behaviour, RequestRecord, World
from tests.sandbox.demo import seed_demo
from tests.sandbox.service import Service
from tests.support.fake_clock import FakeClock


@pytest.fixture
def old(clock: FakeClock) -> Client:
    world = World(clock, portal="old")
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1", replicas=2, allocation_tags="tier-app")
    return connect(world, clock)


def test_an_unknown_service_has_a_different_reply_on_each_route(
    client: Client, web: Service
) -> None:
    reply = client.ask("GET", f"v3/subscriptions/{client.tid}/replicationcontroller/nope")
    assert (reply.status_code, reply.text) == (200, "null")
    texts = {client.v2("ReplicationControllerChange", {"Name": "nope"}).text for _ in range(2)}
    assert texts == {"Service nope not found", "Service nope does not exist"}
    assert client.deploy("x:1", "nope").status_code == 404


def test_routes_in_any_case_and_after_two_slashes(client: Client, web: Service) -> None:
    assert client.ask("GET", "ADMIN/gettenantsforuser").json()[0]["AccountName"] == "dev01"
    assert client.ask("GET", f"/v3/Subscriptions/{client.tid}/replicationController/web").json()
    assert client.ask("GET", f"v3/subscriptions/{client.tid}/replicationcontroller/Web").text == (
        "null"
    )


def test_a_service_may_have_the_name_of_a_route(client: Client, world: World) -> None:
    world.add_service("Admin", "team/admin:1")
    assert client.service("Admin")["Name"] == "Admin"


def test_empty_results_come_in_four_forms(client: Client, web: Service) -> None:
    forms = {
        (reply.status_code, reply.text)
        for reply in (client.v2("ReplicationControllerReboot/web", {}) for _ in range(4))
    }
    assert forms == {(204, ""), (200, ""), (200, "null"), (200, '""')}


@pytest.mark.parametrize("status", [404, 405])
def test_an_old_portal_lacks_the_newer_routes(old: Client, status: Literal[404, 405]) -> None:
    old.world.missing_status = status
    path = f"v3/subscriptions/{old.tid}/replicationcontroller/web"
    for reply in (old.ask("GET", path), old.deploy("team/web:2")):
        assert (reply.status_code, reply.text) == (status, "")
    assert old.world.writes() == []
    listed = old.v2("GetReplicationControllers").json()[0]
    assert "ReplicasActive" not in listed


def test_a_change_resets_settings_that_it_leaves_out(old: Client) -> None:
    old.v2("ReplicationControllerChange", {"Name": "web", "Image": "team/web:2"})
    listed = old.v2("GetReplicationControllers").json()[0]
    assert listed["Template"]["AllocationTags"] == ""
    assert listed["IsReplicaCollocationAllowed"] is False
    assert listed["Template"]["Containers"][0]["Image"] == "team/web:2"


def test_a_change_keeps_settings_that_are_sent_again_in_any_case(old: Client) -> None:
    change = {
        "name": "web",
        "Image": "team/web:2",
        "allocationTags": "tier-app",
        "IsReplicaCollocationAllowed": True,
    }
    old.v2("ReplicationControllerChange", change)
    listed = old.v2("GetReplicationControllers").json()[0]
    assert listed["Template"]["AllocationTags"] == "tier-app"
    assert listed["IsReplicaCollocationAllowed"] is True


def test_images_of_all_containers_change_together_or_not_at_all(
    client: Client, world: World
) -> None:
    service = world.add_service(
        "api", "team/api:1", sidecars={"log": "team/log:1"}, inits={"migrate": "team/migrate:1"}
    )
    wanted = {
        "duplo-main-container": "team/api:2",
        "log": "team/log:2",
        "migrate": "team/migrate:2",
    }
    assert client.put_images({**wanted, "typo": "x:1"}, "api").status_code == 400
    assert service.image == "team/api:1"
    assert client.put_images(wanted, "api").ok
    assert (service.image, service.sidecars, service.inits) == (
        "team/api:2",
        {"log": "team/log:2"},
        {"migrate": "team/migrate:2"},
    )
    assert len(service.generations) == 2
    config = client.service("api")["Template"]["OtherDockerConfig"]
    assert isinstance(config, str)
    assert json.loads(config)["Env"] == [{"Name": "LOG", "Value": "info"}]


def test_a_rollback_restores_the_previous_image_of_the_history(
    client: Client, world: World, web: Service
) -> None:
    assert (
        client.ask(
            "PUT", f"v3/subscriptions/{client.tid}/containers/replicationController/web/rollback"
        ).status_code
        == 400
    )
    client.deploy("team/web:2")
    assert [record["Image"] for record in client.service()["ContainerImageHistory"]] == [
        "team/web:1",
        "team/web:2",
    ]
    client.ask(
        "PUT", f"v3/subscriptions/{client.tid}/containers/replicationController/web/rollback"
    )
    assert web.image == "team/web:1"


@pytest.mark.parametrize(("token", "status"), [("wrong", 401), ("reader", 403), ("elsewhere", 403)])
def test_a_token_grants_no_more_than_its_access(
    world: World, clock: FakeClock, web: Service, token: str, status: int
) -> None:
    world.add_tenant("prod01")
    world.add_token("reader", tenants=["dev01"], read_only=True)
    world.add_token("elsewhere", tenants=["prod01"])
    client = connect(world, clock, token)
    reply = client.deploy("team/web:2")
    assert reply.status_code == status
    assert reply.text
    assert (web.image, world.writes()) == ("team/web:1", [])
    assert len(world.write_attempts()) == 1
    reads = {"wrong": 401, "reader": 200, "elsewhere": 403}
    assert client.v2("GetPods").status_code == reads[token]
    if token == "elsewhere":
        tenants = client.ask("GET", "admin/GetTenantsForUser").json()
        assert [tenant["AccountName"] for tenant in tenants] == ["prod01"]


def test_a_request_without_a_token_is_refused(client: Client, web: Service) -> None:
    del client.session.headers["Authorization"]
    assert client.v2("GetPods").status_code == 401


def test_the_log_masks_the_token(client: Client, world: World, web: Service) -> None:
    client.deploy("team/web:2")
    assert world.token not in repr(world.log)
    assert world.log[0].headers["Authorization"] == "Bearer ***"
    assert world.log[0].body[0]["ImageName"] == "team/web:2"


def test_the_active_count_may_be_missing_after_a_change(client: Client, world: World) -> None:
    world.add_service("web", "team/web:1", replicas=2, replicas_active="flaky")
    assert client.service()["ReplicasActive"] == 2
    client.deploy("team/web:2")
    assert "ReplicasActive" not in client.service()
    assert client.service()["ReplicasActive"] is None
    assert client.service()["ReplicasActive"] == 2


def test_an_empty_list_may_be_null(client: Client, world: World) -> None:
    assert client.v2("GetPods").text == "[]"
    world.null_lists = True
    assert client.v2("GetPods").text == "null"


def test_pods_may_show_images_in_their_long_form(client: Client, world: World) -> None:
    world.add_service("nginx", "nginx:1", replicas=2)
    world.add_service("own", "registry.example.com/own:1", replicas=2)
    assert {pod["Containers"][0]["Image"] for pod in client.pods("nginx")} == {
        "nginx:1",
        "docker.io/library/nginx:1",
    }
    assert {pod["Containers"][0]["Image"] for pod in client.pods("own")} == {
        "registry.example.com/own:1"
    }


def test_older_portals_show_fewer_details_of_pods(
    client: Client, world: World, web: Service
) -> None:
    world.pod_details = False
    world.named_pods = False
    pod = client.v2("GetPods").json()[0]
    assert pod["Name"] is None
    assert "RestartCount" not in pod["Containers"][0]


def test_every_body_loads_into_the_vendors_models() -> None:
    clock = FakeClock()
    world = World(clock)
    seed_demo(world)
    world.add_service("az", "team/az:1", cloud=2)
    world.behave("team/az:bad", Behaviour("crash"))
    world.add_fault("web-123", "an old fault", severity=5)
    client = connect(world, clock)
    for _ in range(3):
        for path in ("admin/GetTenantsForUser", "adminproxy/GetTenantNames", "v3/version"):
            client.ask("GET", path)
        for path in ("v3/features/system", f"v3/features/tenant/{client.tid}"):
            client.ask("GET", path)
        for verb in ("GetReplicationControllers", "GetPods", "GetFaultsByTenant"):
            client.v2(verb)
        for verb in ("GetLBConfigurations", "GetLbDetailsInService/web"):
            client.v2(verb)
        client.service()
        client.service("nope")
        client.deploy("team/az:bad", "az")
        client.v2("ReplicationControllerChange", {"Name": "web", "Image": "team/web:crash"})
        client.v2("ReplicationControllerReboot/worker", {})
        for pod in client.v2("GetPods").json():
            body = {"HostName": pod["Host"], "DockerId": pod["Containers"][0]["DockerId"]}
            client.v2("findContainerLogs", {**body, "Tail": 5})
            client.v2("FindContainerState", body)
        clock.advance(3)
    check_log(world.log)
    assert {record.status for record in world.log} == {200, 204, 400}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([{"Name": "web", "CurrentStatus": "1"}], "another type: CurrentStatus"),
        ([{"Name": "web", "CurrentStatus": 77}], "does not load"),
        ([{"Name": "web", "Status": 1}], "another type: Status"),
        ([{"Containers": [{"Imago": "x"}]}], "another type: Imago"),
        ({"Name": "web"}, "a list was expected"),
    ],
)
def test_a_response_that_does_not_fit_the_models_is_rejected(body: object, problem: str) -> None:
    text = json.dumps(body)
    record = RequestRecord(0.0, "GET", "/subscriptions/1/GetPods", 200, response_text=text)
    with pytest.raises(ConformanceError, match=problem):
        check_exchange(record)


def test_a_request_or_route_unknown_to_the_vendor_is_rejected() -> None:
    path = "/subscriptions/1/ReplicationControllerChange"
    record = RequestRecord(0.0, "POST", path, 204, body={"Name": "web", "Img": "x"})
    with pytest.raises(ConformanceError, match="Img"):
        check_exchange(record)
    with pytest.raises(ConformanceError, match="no model"):
        check_exchange(RequestRecord(0.0, "GET", "/subscriptions/1/Invented", 200))
