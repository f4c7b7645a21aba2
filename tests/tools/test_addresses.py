from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.tools import ToolError, addresses
from airflow_provider_vibe.tools.addresses import HostRule, RefusedURL, allowed_hosts, checked_addresses

PUBLIC = "93.184.215.14"
PRIVATE = "10.1.2.3"
METADATA = "169.254.169.254"


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch):
    """Says which addresses every host has."""

    def answer(*found: str) -> None:
        async def resolve(host: str, port: int) -> list[str]:
            return list(found)

        monkeypatch.setattr(addresses, "resolve", resolve)

    return answer


def check(host: str, port: int = 80, *rules: HostRule) -> list[str]:
    return asyncio.run(checked_addresses(host, port, rules))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "0x7f000001", "::1"]
)
def test_every_notation_of_loopback_is_refused(host: str):
    with pytest.raises(RefusedURL, match=r"not public.*\[vibe\] allowed_hosts"):
        check(host)


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "240.0.0.1", "192.0.2.1"),
        *("::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2001::1", "fc00::1", "fd12::1", "fec0::1", "2001:db8::1"),
    ],
)
def test_a_name_with_a_private_address_is_refused_unless_it_is_listed(dns, address: str):
    dns(address)
    with pytest.raises(
        RefusedURL, match=r"'intranet.example' is at .* not public.*list 'intranet.example:80'"
    ):
        check("intranet.example")
    assert check("intranet.example", 80, HostRule("intranet.example", 80)) == [address]


@pytest.mark.parametrize(
    "address",
    [
        *(METADATA, "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.1.2.3"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
        *("::", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"),
        "2002:a9fe:a9fe::",
    ],
)
def test_metadata_and_nobodys_addresses_are_refused_whatever_is_listed(dns, address: str):
    dns(address)
    with pytest.raises(RefusedURL, match=r"never allowed$"):
        check("any.example", 80, HostRule("any.example"))


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1"]
)
def test_a_public_address_is_allowed(dns, address: str):
    dns(address)
    assert check("any.example") == [address]


@pytest.mark.parametrize("found", [(PUBLIC, PRIVATE), (PRIVATE, PUBLIC), (PUBLIC, "::1")])
def test_one_private_address_among_public_ones_is_enough_to_refuse(dns, found: tuple[str, ...]):
    dns(*found)
    with pytest.raises(RefusedURL):
        check("any.example")


@given(st.ip_addresses(v=4))
def test_an_address_inside_an_ipv6_one_is_judged_like_itself(address: ipaddress.IPv4Address):
    number = int(address)
    disguises = [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80 | 1),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | number),
    ]
    for may_be_private in (False, True):
        expected = addresses._objection(address, may_be_private)
        assert [addresses._objection(one, may_be_private) for one in disguises] == [expected] * 3


@given(st.ip_addresses())
def test_what_is_refused_when_listed_is_refused_otherwise_too(address):
    if addresses._objection(address, True):
        assert addresses._objection(address, False)


def test_with_a_list_no_other_host_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    monkeypatch.setattr(addresses, "resolve", resolve)
    rules = (HostRule("example.org", 443), HostRule("*.example.com"))
    for host, port in (
        ("example.org", 80),
        ("example.net", 443),
        ("example.com", 80),
        ("evilexample.com", 80),
    ):
        with pytest.raises(RefusedURL, match=rf"'{host}:{port}' is not one of \[vibe\] allowed_hosts"):
            check(host, port, *rules)


def test_the_entries_of_the_list(dns):
    dns(PUBLIC)
    assert check("example.org", 443, HostRule("example.org", 443))
    assert check("a.b.example.com", 8080, HostRule("*.example.com"))
    assert check("anything.example", 80, HostRule("*"))


@pytest.mark.parametrize("rule", [HostRule("*"), HostRule("*.example.org")])
def test_a_wildcard_allows_no_private_address(dns, rule: HostRule):
    dns(PRIVATE)
    with pytest.raises(RefusedURL, match="not public"):
        check("intranet.example.org", 80, rule)
    assert check("intranet.example.org", 80, rule, HostRule("intranet.example.org")) == [PRIVATE]


def test_the_option_is_read_as_it_is_written(monkeypatch: pytest.MonkeyPatch):
    written = " Example.ORG. ,*.example.com:8443, *, 127.0.0.1:8080,[0:0::1]:80, bücher.example,"
    monkeypatch.setenv("AIRFLOW__VIBE__ALLOWED_HOSTS", written)
    assert allowed_hosts() == (
        HostRule("example.org"),
        HostRule("*.example.com", 8443),
        HostRule("*"),
        HostRule("127.0.0.1", 8080),
        HostRule("::1", 80),
        HostRule("xn--bcher-kva.example"),
    )


def test_without_the_option_there_are_no_entries():
    assert allowed_hosts() == ()


@pytest.mark.parametrize(
    "entry",
    ["http://a.example", "a.example/x", "*a.example", "a.*", "**", "a:b", "::1", "u@a", "a b", "1.2.3.256"],
)
def test_an_entry_that_is_no_host_is_told(monkeypatch: pytest.MonkeyPatch, entry: str):
    monkeypatch.setenv("AIRFLOW__VIBE__ALLOWED_HOSTS", f"good.example,{entry}")
    with pytest.raises(ToolError, match=r"\[vibe\] allowed_hosts: .* is no host \(write 'example.org'"):
        allowed_hosts()


def test_a_host_without_an_address_is_a_connection_error():
    with pytest.raises(ConnectionError, match=r"'nowhere\.invalid' has no address"):
        check("nowhere.invalid")


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "a%20b", "fe80::1%eth0"])
def test_what_cannot_be_a_name_is_refused(host: str):
    with pytest.raises(RefusedURL, match="cannot be the name of a host"):
        check(host)
