"""Which addresses webhooks may lead to: those of the public internet and no others."""

import ipaddress

import pytest

from api.webhooks.public_addresses import is_public_address, is_public_name


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.0.9", "192.0.0.171", "192.0.2.1", "192.88.99.1", "192.168.0.1",
        "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "::10.0.0.1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1", "100:0:0:1::1", "2001::1", "2001:0:4136:e378::1",
        "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:1::1", "2001:db8::1", "2002:a00:1::1",
        "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "feff::1", "ff02::1", "ff0e::1", "4000::1", "dead:beef::1", "2606:4700::1%eth0",
    ],
)  # fmt: skip
def test_an_address_of_a_network_of_ones_own_is_private(address: str) -> None:
    """Private, shared, local, loopback, multicast, reserved, documents, benchmarks, and what holds such an address."""
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.1",
        "223.255.255.254", "2606:4700:4700::1111", "2400:3200::1", "2001:4860:4860::8888", "2a00:1450::1",
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    ],
)  # fmt: skip
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Also where an IPv6 address stands for it."""
    assert is_public_address(address)


def test_nothing_is_public_that_the_library_calls_private() -> None:
    """Over the edges of every special range: ours is the narrower reading."""
    edges = [str(ipaddress.ip_address(value << 24 | 1)) for value in range(256)]
    edges += [str(ipaddress.IPv6Address((value << 112) | 1)) for value in range(0, 65_536, 7)]

    wrong = [one for one in edges if is_public_address(one) and not ipaddress.ip_address(one).is_global]
    assert wrong == []


@pytest.mark.parametrize(
    "name",
    [
        "localhost", "intranet", "printer.local", "a.localhost", "db.internal", "nas.lan", "x.home.arpa", "127.1", "0x7f.1",
        "2130706433", "0x7f000001", "0177.0.0.1", "1.2.3.0x4", "10.1", "127.0.0.1.", "::1", "fec0::1",
    ],
)  # fmt: skip
def test_a_name_that_is_no_name_of_the_internet_is_private(name: str) -> None:
    """Names of this network, and numbers that resolvers take for addresses."""
    assert not is_public_name(name)


def test_a_name_of_the_internet_is_public() -> None:
    """Where it leads is looked at again whenever something is sent."""
    assert all(map(is_public_name, ("hooks.example.com", "xn--fiqs8s.cn", "1.example", "8.8.8.8", "0x7f.example")))
