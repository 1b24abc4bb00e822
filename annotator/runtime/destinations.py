"""Where the server may go: a list of host:port, and which addresses a name on it may lead to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from annotator.errors import AnnotatorError, InvalidError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = {"http": 80, "https": 443}
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_-]{1,63})*")
PATH = re.compile(r"[A-Za-z0-9/._~:@!$&'()*+,;=%-]*")
QUERY = re.compile(r"[A-Za-z0-9/._~:@!$&'()*+,;=%?-]*")
KEY = re.compile(r"[\x21-\x7e]{1,4096}")

CARRIER = ipaddress.ip_network("100.64.0.0/10")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
OVER_IPV4 = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("2001::/32"))
# Metadata services of clouds hand out credentials; these lie outside the link-local range
METADATA = {
    ipaddress.ip_address(text) for text in ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")
}


class NotAllowedError(AnnotatorError):
    """The way out is closed for this address or this key."""

    code: ClassVar[str] = "outbound_not_allowed"
    status = 403


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One row of the instance's list.

    host: a name in lower case, or an address, which then is the only one it leads to.
    private: the name leads into a private network and nowhere else; the administrator said so.
        Not needed for an address or for localhost; never opens a cloud's metadata service.
    """

    host: str
    port: int
    private: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", canonical_host(self.host))
        if not 0 < self.port < 65536:
            raise InvalidError(f"{self.port} is not a port; ports are 1 to 65535.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """The address, when the row names one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def local(self) -> bool:
        """It leads to this machine or a private network, where calls may go unencrypted."""
        if self.address is not None:
            return kind(self.address) in {"loopback", "private"}
        return self.private or self.host == "localhost"


@dataclass(frozen=True)
class Key:
    """A secret that may go to one host and port only; nothing prints it.

    Entered for one address, it is refused at every other, so that changing an endpoint's address
    cannot carry a key away.
    """

    value: str = field(repr=False)
    host: str
    port: int

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.value):
            raise InvalidError("A key is 1 to 4,096 printable characters without spaces.")
        object.__setattr__(self, "host", canonical_host(self.host))

    def __str__(self) -> str:
        return f"the key for {self.host}:{self.port}"


@dataclass(frozen=True)
class BaseUrl:
    """A checked address to call: scheme, host, port, and the path that every call begins with."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """host:port, for a person and for the list."""
        return str(Destination(host=self.host, port=self.port))


def parse_base_url(text: str) -> BaseUrl:
    """Read http(s)://host[:port][/path]; raises InvalidError for everything else."""
    if any(ord(letter) <= 32 or ord(letter) >= 127 or letter == "\\" for letter in text):
        raise InvalidError("An address is written without spaces, in plain ASCII.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidError("This is not an address like https://host:port/path.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise InvalidError("An address starts with http:// or https:// and a host.")
    if "@" in parts.netloc:
        raise InvalidError("An address holds no user name or password; enter the key beside it.")
    if parts.query or parts.fragment or not PATH.fullmatch(parts.path) or ".." in parts.path:
        raise InvalidError("An address ends with its path: no ?, no #, no ..")
    return BaseUrl(
        scheme=parts.scheme,
        host=canonical_host(parts.hostname),
        port=PORTS[parts.scheme] if port is None else port,
        path=parts.path.rstrip("/"),
    )


def canonical_host(host: str) -> str:
    """The one spelling of a name or an address, without brackets; raises InvalidError."""
    bare = host.removeprefix("[").removesuffix("]").lower()
    try:
        return str(plain(ipaddress.ip_address(bare)))
    except ValueError:
        bare = bare.removesuffix(".")
    if not HOST_NAME.fullmatch(bare) or bare.rpartition(".")[2].startswith(tuple("0123456789")):
        raise InvalidError(f"{host[:100]!r} is not the name or the usual address of a host.")
    return bare


def plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one only wraps, else the same."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


def kind(address: Address) -> str:
    """Say what an address is: public, private, loopback, or never, where nothing may go."""
    address = plain(address)
    if address in NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return "public" if kind(inner) == "public" else "never"
    forbidden = address.is_unspecified or address.is_multicast or address.is_link_local
    if forbidden or address in METADATA or any(address in network for network in OVER_IPV4):
        return "never"
    if address.is_loopback:
        return "loopback"
    if address in CARRIER or _is_local_network(address):
        return "private"
    return "public" if address.is_global else "never"


def _is_local_network(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        return address in ipaddress.ip_network("fc00::/7")
    return any(
        address in ipaddress.ip_network(network)
        for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    )


def kind_in_words(address: Address) -> str:
    """What an address is, for a refusal."""
    words = {
        "public": "public address",
        "private": "private address",
        "loopback": "loopback address",
        "never": "reserved address",
    }
    return words[kind(address)]


def may_lead_to(destination: Destination, address: Address) -> bool:
    """Tell whether a row of the list covers this address that its host was resolved to."""
    what = kind(address)
    if destination.address is not None:
        return plain(address) == destination.address and what != "never"
    if destination.host == "localhost":
        return what == "loopback"
    return what == ("private" if destination.private else "public")
