"""Which hosts and addresses are on the public internet: webhooks are sent to no others.

Ranges of IANA's special-purpose registries, written down here: what a library calls global changes with its version.
"""

import ipaddress
import re
from typing import Final

_NAMES_OF_THIS_NETWORK: Final = (".local", ".localhost", ".internal", ".home.arpa", ".lan")
# A last label that is a number makes resolvers read the whole name as an IPv4 address: 127.1, 0x7f.1, 2130706433.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRIVATE_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)  # fmt: skip
# All that is routed lies in here, but for what translates IPv4.
_UNICAST_6: Final = ipaddress.IPv6Network("2000::/3")
# IETF protocols (Teredo, benchmarks, ORCHID), documents, 6to4, documents again.
_PRIVATE_6: Final = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# Addresses that stand for the IPv4 address in their last 32 bits.
_TRANSLATED: Final = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))


def is_public_name(host: str) -> bool:
    """Whether a host may be outside of the own network, as far as its name shows."""
    try:
        return is_public_address(host)
    except ValueError:
        name = host.rstrip(".").lower()
        labels = name.split(".")
        return len(labels) > 1 and not name.endswith(_NAMES_OF_THIS_NETWORK) and not _NUMBER.fullmatch(labels[-1])


def is_public_address(address: str) -> bool:
    """Whether an IP address is one of the public internet.

    Raises
    ------
    ValueError
        If it is no IP address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_4(ip)
    if ip.scope_id is not None:
        return False
    if any(ip in network for network in _TRANSLATED):
        return _is_public_4(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    return ip in _UNICAST_6 and not any(ip in network for network in _PRIVATE_6)


def _is_public_4(address: ipaddress.IPv4Address) -> bool:
    return not any(address in network for network in _PRIVATE_4)
