"""Addresses: this machine's own, and networks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

ONE_HOME = 64
"""Bits of an IPv6 address that its network gives out: whoever has one address has all that begin so."""


def is_loopback(host: str) -> bool:
    """Whether a host name or an address is this machine's own, which nobody else reaches."""
    found = _address(host)
    return host == "localhost" if found is None else found.is_loopback


def is_within(host: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    found = _address(host)
    return found is not None and any(found in network for network in networks)


def who_may_be_one(host: str) -> str:
    """What is counted as one where requests of an address are counted."""
    found = _address(host)
    return str(ip_network((found, ONE_HOME), strict=False)) if isinstance(found, IPv6Address) else host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
