"""Which hosts the web tools may talk to: public ones, or those that ``[vibe] allowed_hosts`` lists.

A plan is written by a model or by somebody who may not see the network that Airflow stands in. So a host is
judged by the addresses it has, not by its name, and the connection goes to an address that was judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolError, ToolInputError
from airflow_provider_vibe.tools.threads import run_in_thread

OPTION = "[vibe] allowed_hosts"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_ENTRY = re.compile(
    r"(?:(?P<any>\*\.)?(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])|(?P<all>\*))(?::(?P<port>[0-9]{1,5}))?"
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "255.255.255.255/32", "224.0.0.0/4", "::/128", "ff00::/8"),  # nobody's own address
        *("169.254.0.0/16", "fe80::/10"),  # link-local; the metadata of most clouds is at 169.254.169.254
        "100.100.100.200/32",  # Alibaba's metadata
        "168.63.129.16/32",  # Azure's WireServer, at a public address
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is at 192.0.0.192
        "fd00:ec2::/32",  # Amazon's metadata
        "fd20:ce::/32",  # Google's metadata
    )
)


class RefusedURL(ToolInputError):
    """A URL leads where a plan may not go; another try with the same one is of no use."""


@dataclass(frozen=True)
class HostRule:
    """One entry of ``[vibe] allowed_hosts``.

    :param name: a host's name or address; ``*.example.org``: every name below it; ``*``: every host.
    :param port: the only port; None for any.
    """

    name: str
    port: int | None = None

    @property
    def is_explicit(self) -> bool:
        """True when it means a single host, which then may have a private address."""
        return not self.name.startswith("*")

    def covers(self, host: str, port: int) -> bool:
        """Whether it allows *host* (in the form of :func:`plain_host`) at *port*."""
        if self.port not in (None, port):
            return False
        return host == self.name if self.is_explicit else host.endswith(self.name[1:])


def allowed_hosts() -> tuple[HostRule, ...]:
    """The entries of ``[vibe] allowed_hosts``; none: every public host is allowed.

    :raises ToolError: an entry that is none.
    """
    from airflow.sdk.configuration import conf

    entries = (entry.strip() for entry in conf.get("vibe", "allowed_hosts", fallback="").split(","))
    return tuple(_rule(entry) for entry in entries if entry)


def _rule(entry: str) -> HostRule:
    import httpx

    try:
        written = _ENTRY.fullmatch(entry)
        if written is None:
            raise ValueError
        host = plain_host(httpx.URL(f"http://{written['host']}").raw_host) if written["host"] else ""
    except (ValueError, httpx.InvalidURL):
        raise ToolError(
            f"{OPTION}: {quoted(entry)} is no host"
            " (write 'example.org', '*.example.org', '*', 'intranet.example:8080' or '[::1]:8080')"
        ) from None
    return HostRule(
        (written["any"] or written["all"] or "") + host, int(written["port"]) if written["port"] else None
    )


def plain_host(host: bytes) -> str:
    """A host as it is compared: ASCII, lower case, no dot at its end; an address in its short form."""
    name = host.decode("ascii").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


async def checked_addresses(host: str, port: int, rules: Sequence[HostRule]) -> list[str]:
    """The addresses of *host*, each of which a plan may connect to.

    :param host: in the form of :func:`plain_host`.
    :param port: the port that is wanted.
    :param rules: the entries of ``[vibe] allowed_hosts``.
    :raises RefusedURL: the host is not allowed, or one of its addresses is not.
    :raises ConnectionError: it has no address.
    """
    if "%" in host:  # an escape, or the network card of a link-local address
        raise RefusedURL(f"{quoted(host)} cannot be the name of a host")
    covering = [rule for rule in rules if rule.covers(host, port)]
    if rules and not covering:
        raise RefusedURL(f"the host {quoted(_with_port(host, port))} is not one of {OPTION}")
    may_be_private = any(rule.is_explicit for rule in covering)
    addresses = await resolve(host, port)
    for address in addresses:
        if reason := _objection(ipaddress.ip_address(address), may_be_private):
            where = "" if address == host else f" is at {address}, which"
            hint = "" if reason is _NEVER_SAID else f" (list {quoted(_with_port(host, port))} in {OPTION})"
            raise RefusedURL(f"the host {quoted(host)}{where} is {reason}{hint}")
    return addresses


async def resolve(host: str, port: int) -> list[str]:
    """The addresses the system has for *host*: of a name, or of any notation of an address.

    :raises RefusedURL: it cannot be the name of a host.
    :raises ConnectionError: it has no address.
    """
    try:
        found = await run_in_thread(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ConnectionError(f"the host {quoted(host)} has no address: {error.strerror}") from None
    except ValueError:  # a label that is empty or too long
        raise RefusedURL(f"{quoted(host)} cannot be the name of a host") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


_PRIVATE_SAID = "not public: a plan may read public hosts only, unless an administrator allows it"
_NEVER_SAID = "link-local, a cloud's metadata or nobody's own address, which is never allowed"


def _objection(address: _Address, may_be_private: bool) -> str | None:
    """Why a plan may not connect to *address*; None when it may."""
    inner = _unwrapped(address)
    if any(one in network for network in _NEVER for one in (address, inner)):
        return _NEVER_SAID
    return None if may_be_private or _is_public(inner) else _PRIVATE_SAID


def _is_public(address: _Address) -> bool:
    # the IPv6 blocks outside global unicast (site-local, IPv4-compatible ...) count as global in ipaddress
    return address.is_global and (address.version == 4 or address in _GLOBAL_UNICAST)


def _unwrapped(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
