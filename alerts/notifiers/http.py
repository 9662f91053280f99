"""One request to a receiver's web address, and what became of it. Nothing is retried and no redirect is followed.

The standard library's client is enough: it says whether a failure came before or after the request was sent.
"""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from alerts.model import SendError
from alerts.wording import clean

TIMEOUT_SECONDS = 10.0
LONGEST_SECONDS = 30.0
LONGEST_RETRY_AFTER = 3_600.0
ANSWER_BYTES = 65_536
TOLD_LENGTH = 200
UNPROCESSED = frozenset({400, 413, 415, 422})
"""Statuses about what was sent, not about where: the plain form may pass."""
BUSY = frozenset({429, 503})
"""Statuses with which a receiver may say when to come back."""
LINK_LOCAL = "this link alone"
METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Where clouds tell a machine its secrets, beside 169.254.169.254."""
PASSING = frozenset({408, 409, 425})
"""Statuses below 500 that another attempt may cure."""


@dataclass(frozen=True)
class Target:
    """Where a receiver listens. `who` names it in errors; its address stays out of them, since it may be a secret."""

    url: str = field(repr=False)
    who: str
    timeout: float = TIMEOUT_SECONDS
    """Seconds for connecting, and for each wait for an answer."""
    longest: float = LONGEST_SECONDS
    """Seconds for the whole exchange: a receiver may send a byte now and then for ever."""
    public_only: bool = False
    """Whether an address of this machine or of a private network is refused. Link-local ones are in any case."""
    context: ssl.SSLContext | None = field(default=None, repr=False)
    """Whom to trust, where it is not what the system trusts."""


@dataclass(frozen=True)
class Answer:
    """What a receiver answered: the beginning of the body, and the headers by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: str


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a body; as `request`."""
    return request(target, "POST", body, headers)


def request(target: Target, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """Send one request and return the answer, whatever it says. Raises `SendError` where there was none."""
    parts = _parts(target)
    connection = _connect(target, parts)
    ended = threading.Event()
    limit = threading.Timer(target.longest, _cut, [connection.sock, ended])
    limit.start()
    try:
        return _exchange(connection, method, _path(parts, connection), body, headers)
    except (OSError, HTTPException) as error:
        why = "it took too long" if ended.is_set() else _why(error)
        raise SendError(f"{target.who} did not answer: {why}", unknown=True) from error
    finally:
        limit.cancel()
        connection.close()


def _cut(connected: socket.socket, ended: threading.Event) -> None:
    """End a connection under whoever reads from it."""
    ended.set()
    with suppress(OSError):
        # The plain socket's: that of TLS takes its state from under the reader.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def expect_success(answer: Answer, who: str) -> None:
    """Raise the `SendError` that an answer other than 2xx stands for."""
    if 200 <= answer.status < 300:
        return
    told = f"{who} answers {answer.status}"
    reason = clean(" ".join(answer.body.split()), TOLD_LENGTH)
    if answer.status in BUSY and ("retry-after" in answer.headers or answer.status == 429):
        raise SendError(f"{told}: it asks to wait", retry_after=retry_after(answer.headers))
    if answer.status >= 500 or answer.status in PASSING:
        raise SendError(told)
    if answer.status < 400:
        raise SendError(f"{told}: it is somewhere else, and redirects are not followed", permanent=True)
    told = f"{told}: {reason}" if reason else told
    raise SendError(told, permanent=answer.status not in UNPROCESSED, refused=answer.status in UNPROCESSED)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, from seconds or a date; a minute where it is not said, at least 1, never more than an hour."""
    return min(max(_seconds(headers), 1.0), LONGEST_RETRY_AFTER)


def _seconds(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        # By the receiver's own clock: it may differ from this machine's.
        return (_date(text) - _date(headers.get("date", ""))).total_seconds()
    except ValueError:
        return 60.0


def _date(text: str) -> datetime:
    found = parsedate_to_datetime(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- connecting ------------------------------------------------------------------------------------------------


def _parts(target: Target) -> SplitResult:
    try:
        parts = urlsplit(target.url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SendError(f"the address of {target.who} is no web address: it begins with https://", permanent=True)
    return parts


def _connect(target: Target, parts: SplitResult) -> HTTPConnection:
    """A connection, through the proxy of the environment where there is one. Nothing was sent yet if this raises."""
    proxy = _proxy(parts)
    # What lies behind a proxy is not known here, unless its address is written as one.
    _check_address(parts.hostname or "", target)
    connection = _connection(target, parts, proxy)
    if not proxy:
        # The library's own way to say how it is connected to a host.
        connection._create_connection = partial(_connected, target)  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        why = f"{target.who} shows a certificate that is not trusted: {error.verify_message}"
        raise SendError(why, permanent=True) from error
    except (OSError, HTTPException) as error:
        raise SendError(f"{target.who} cannot be reached: {_why(error)}") from error
    except SendError:
        connection.close()
        raise
    return connection


def _connection(target: Target, parts: SplitResult, proxy: SplitResult | None) -> HTTPConnection:
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    at = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    if not secure:
        return HTTPConnection(*at, timeout=target.timeout)
    context = target.context or ssl.create_default_context()
    tunnelled = HTTPSConnection(*at, timeout=target.timeout, context=context)
    if proxy:
        tunnelled.set_tunnel(host, port, headers=_proxy_login(proxy))
    return tunnelled


def _proxy(parts: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for this address; never one for this machine itself."""
    host = parts.hostname or ""
    found = getproxies().get(parts.scheme)
    if not found or proxy_bypass(f"{host}:{parts.port or ''}") or address_kind(host) == "this machine":
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _connected(
    target: Target, at: tuple[str, int], timeout: float, source_address: tuple[str, int] | None
) -> socket.socket:
    """A connection to the first address of a name that answers; none is made to one that is refused.

    The address that was looked at is the one that is connected to: no name can be made to point elsewhere meanwhile.
    """
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(*at, 0, socket.SOCK_STREAM):
        _check_address(str(address[0]), target)
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(timeout)
            if source_address is not None:
                made.bind(source_address)
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure


def _check_address(host: str, target: Target) -> None:
    kind = address_kind(host)
    if kind == LINK_LOCAL:
        raise SendError(f"{target.who} is at an address of {kind}, where a cloud keeps its secrets", permanent=True)
    if kind and target.public_only:
        raise SendError(f"{target.who} is at an address of {kind}: allow_private = true permits it", permanent=True)


def address_kind(host: str) -> str:
    """`this machine`, `a private network` or `this link alone`; "" for a public address, and for a name."""
    if host == "localhost":
        return "this machine"
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:
        return "this machine"
    if address.is_link_local or address in METADATA:
        return LINK_LOCAL
    return "" if address.is_global and not address.is_multicast else "a private network"


# --- exchanging ------------------------------------------------------------------------------------------------


def _path(parts: SplitResult, connection: HTTPConnection) -> str:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxied = parts.scheme == "http" and connection.host != parts.hostname
    return f"http://{parts.netloc}{path}" if proxied else path


def _exchange(
    connection: HTTPConnection, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    connection.request(method, path, body, {"User-Agent": "slicewatch", **headers})
    response: HTTPResponse = connection.getresponse()
    text = response.read(ANSWER_BYTES).decode("utf-8", "replace")
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)


def _why(error: Exception) -> str:
    return clean(str(error) or type(error).__name__, TOLD_LENGTH)
