"""Where people reach a service, from what the portal says of it."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.kinds.service.address import address, listener
from pipe.portal.services import decode_found

LISTENER = {"LbType": 1, "Protocol": "HTTP", "ExternalPort": 443, "Port": "8080"}


def service(*listeners: dict[str, Any], **fields: Any):
    """A service as the portal would show it."""
    body = {
        "Name": "web",
        "Fqdn": "web.dev01.example.com",
        "Template": {"LBConfigurations": {str(n): entry for n, entry in enumerate(listeners)}},
        **fields,
    }
    found = decode_found(body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "https://web.dev01.example.com"),
        ({"ExternalPort": 80}, "http://web.dev01.example.com"),
        ({"ExternalPort": 8443}, "http://web.dev01.example.com:8443"),
        ({"ExternalPort": 8443, "CertificateArn": "arn:x"}, "https://web.dev01.example.com:8443"),
        ({"ExternalPort": None, "Protocol": "https"}, "https://web.dev01.example.com"),
        ({"LbType": 5}, "https://web.dev01.example.com"),
        ({"LbType": 6, "Protocol": "TLS", "CertificateArn": "arn:x"}, "https://web.dev01.example.com"),
        ({"LbType": 6, "Protocol": "TCP"}, None),
        ({"LbType": 2}, None),
        ({"LbType": 3}, None),
        ({"LbType": 4}, None),
        ({"LbType": 7}, None),
        ({"Protocol": "UDP"}, None),
        ({"IsInternal": True}, None),
    ],
)  # fmt: skip
def test_the_address_follows_from_the_listener(
    change: dict[str, Any], expected: str | None
) -> None:
    """Scheme and port; none for what nobody outside can use."""
    found = service({**LISTENER, **change})
    entry = listener(found)
    assert (entry and address(found, entry)) == expected


def test_the_best_name_is_taken() -> None:
    """The external name, the plain one, the listener's own, the load balancer's raw one."""
    own = {**LISTENER, "DnsName": "listener.example.com"}
    for fields, host in (
        ({"FqdnEx": "www.example.com"}, "www.example.com"),
        ({}, "web.dev01.example.com"),
        ({"Fqdn": None}, "listener.example.com"),
    ):
        found = service(own, **fields)
        assert address(found, listener(found), "raw.elb.example.com") == f"https://{host}"
    bare = service(LISTENER, Fqdn="")
    assert address(bare, listener(bare), "raw.elb.example.com") == "https://raw.elb.example.com"
    assert address(bare, listener(bare)) == ""


def test_https_is_preferred() -> None:
    """Of two listeners the one with TLS."""
    found = service({**LISTENER, "ExternalPort": 80}, LISTENER)
    assert address(found, listener(found)) == "https://web.dev01.example.com"


@pytest.mark.parametrize("configurations", [None, [], "x", {"a": None}, {"a": {}}])
def test_odd_shapes_mean_no_address(configurations: object) -> None:
    """No field here is worth a failed deploy."""
    found = decode_found({"Name": "web", "Template": {"LBConfigurations": configurations}})
    assert found is not None
    assert listener(found) is None
