"""The public address of a service, from the portal's description of its load balancer."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.kinds.service.address import address, listener
from pipe.portal import Service
from pipe.portal.service_body import decode_found

LISTENER = {"LbType": 1, "Protocol": "HTTP", "ExternalPort": 443, "Port": "8080"}


def service(*listeners: dict[str, Any], **fields: Any) -> Service:
    """Return a service as read from the portal."""
    body = {
        "Name": "web",
        "Fqdn": "web.dev01.example.com",
        "Template": {"LBConfigurations": {str(n): entry for n, entry in enumerate(listeners)}},
        **fields,
    }
    found = decode_found(body)
    assert found is not None
    return found


def address_of(found: Service, raw: str = "") -> str:
    """Return the address of a service with a public listener."""
    entry = listener(found)
    assert entry is not None
    return address(found, entry, raw)


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
def test_the_address_comes_from_the_listener(change: dict[str, Any], expected: str | None) -> None:
    """Scheme and port; none for listeners that are not public http."""
    found = service({**LISTENER, **change})
    entry = listener(found)
    assert (entry and address(found, entry)) == expected


def test_names_are_used_in_order_of_preference() -> None:
    """The external name, the service's, the listener's, the load balancer's."""
    own = {**LISTENER, "DnsName": "listener.example.com"}
    for fields, host in (
        ({"FqdnEx": "www.example.com"}, "www.example.com"),
        ({}, "web.dev01.example.com"),
        ({"Fqdn": None}, "listener.example.com"),
    ):
        found = service(own, **fields)
        assert address_of(found, "raw.elb.example.com") == f"https://{host}"
    bare = service(LISTENER, Fqdn="")
    assert address_of(bare, "raw.elb.example.com") == "https://raw.elb.example.com"
    assert address_of(bare) == ""


def test_https_is_preferred() -> None:
    """Of two listeners, the one with TLS is used."""
    found = service({**LISTENER, "ExternalPort": 80}, LISTENER)
    assert address_of(found) == "https://web.dev01.example.com"


@pytest.mark.parametrize("configurations", [None, [], "x", {"a": None}, {"a": {}}])
def test_an_unexpected_shape_means_no_address(configurations: object) -> None:
    """It must not fail a deploy."""
    found = decode_found({"Name": "web", "Template": {"LBConfigurations": configurations}})
    assert found is not None
    assert listener(found) is None
