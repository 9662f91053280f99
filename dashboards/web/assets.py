"""Files that pages load: held in memory, compressed once, named by their content so that browsers keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from mimetypes import guess_type

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboards.web.errors import MissingError

FOR_GOOD = "public, max-age=31536000, immutable"
SERVED = (".css", ".js", ".svg")


@dataclass(frozen=True)
class Asset:
    """One file; `name` is its path below `static`."""

    name: str
    body: bytes = field(repr=False)

    @cached_property
    def hash(self) -> str:
        return hashlib.blake2b(self.body, digest_size=8).hexdigest()

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, 9, mtime=0)

    @property
    def url(self) -> str:
        return f"/static/{self.hash}/{self.name}"


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    return {name: Asset(name, item.read_bytes()) for name, item in _walk(files("dashboards.web") / "static", "")}


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            found += _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(SERVED):
            found.append((prefix + item.name, item))
    return found


router = APIRouter(include_in_schema=False)
PATH = "/static/{digest}/{name:path}"


@router.get(PATH)
def asset(request: Request, digest: str, name: str) -> Response:  # noqa: ARG001  # the digest is there to change the URL
    """A file by its exact name: nothing is looked up on disk."""
    found = assets().get(name)
    if found is None:
        raise MissingError("there is no such file")
    kind = guess_type(name)[0] or "application/octet-stream"
    headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})
    return Response(found.body, media_type=kind, headers=headers)
