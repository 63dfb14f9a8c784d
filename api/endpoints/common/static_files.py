"""Style, script and icon, held in memory, compressed once, named by content so that browsers keep them for good."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    media_type: str
    plain: bytes
    packed: bytes
    version: str


@cache
def assets() -> dict[str, Asset]:
    """All files by name."""
    by_name = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            plain = path.read_bytes()
            version = hashlib.sha256(plain).hexdigest()[:12]
            by_name[path.name] = Asset(TYPES[path.suffix], plain, gzip.compress(plain, 9, mtime=0), version)
    return by_name


def asset_url(name: str) -> str:
    """Where a file is found; another content has another address."""
    return f"/static/{name}?v={assets()[name].version}"


def accepts_gzip(request: Request) -> bool:
    """Whether a browser takes compressed answers."""
    return "gzip" in request.headers.get("accept-encoding", "")


@router.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """One file, compressed where the browser takes it."""
    asset = assets().get(name)
    if asset is None:
        return Response(status_code=404)
    headers = {"Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    if request.query_params.get("v") == asset.version:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if accepts_gzip(request):
        return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.media_type, headers=headers)
