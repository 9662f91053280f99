"""Where browsers find the site. What headers of a proxy say of it (`X-Forwarded-Proto`, `-Host`) is not believed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request


@dataclass(frozen=True)
class Origin:
    """What the operators say (`public_url`, scheme and host); the address that was asked where they say nothing."""

    public_url: str | None = None

    def of(self, request: Request) -> str:
        """`https://slicewatch.example.com`."""
        return self.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}".lower()

    def is_secure(self, request: Request) -> bool:
        """Whether browsers come by HTTPS."""
        return self.of(request).startswith("https://")

    def is_own(self, request: Request, claimed: str) -> bool:
        """Whether the `Origin` of a request is this site's."""
        ours, theirs = urlsplit(self.of(request)), urlsplit(claimed.lower())
        return (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)

    def cookie(self, request: Request, name: str) -> str:
        """A cookie's name. Over HTTPS its prefix keeps neighbouring hosts from setting it (RFC 6265bis, `__Host-`)."""
        return f"__Host-{name}" if self.is_secure(request) else name


def origin_of(request: Request) -> Origin:
    """The origin of the application that answers a request."""
    found: Origin = request.app.state.gate.origin
    return found
