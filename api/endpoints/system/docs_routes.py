"""The document of the API and pages to read and try it; every asset comes from this service."""

import json
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.endpoints.common.problems import Problem

router = APIRouter(include_in_schema=False)
# A wheel that ships the files of Swagger UI (Apache-2.0); they are all that is used of it.
_WHEEL: Final = "fastapi_standalone_docs"
_ASSETS: Final = {
    "swagger-ui.css": ("static/swagger", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("static/swagger", "text/javascript; charset=utf-8"),
    "favicon.png": ("static/fastapi", "image/png"),
}
_DAY: Final = {"Cache-Control": "public, max-age=86400"}
# Swagger UI sets styles and pictures of its own in the page; nothing is loaded from elsewhere.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>riderscore API</title>
<link rel="icon" href="/docs/assets/favicon.png"><link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"><noscript><a href="/openapi.json">openapi.json</a></noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, displayRequestDuration: true,
});
"""


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    body = json.dumps(request.app.openapi(), ensure_ascii=False).encode()
    return Response(body, media_type="application/json", headers={"Cache-Control": "public, max-age=60"})


@router.get("/docs")
def docs() -> Response:
    """A page to read and try the API."""
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY, **_DAY})


@router.get("/docs/assets/{name}")
def asset(name: str) -> Response:
    """What that page loads."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript", headers=_DAY)
    if name not in _ASSETS:
        raise Problem("not_found")
    return Response(_asset(name), media_type=_ASSETS[name][1], headers=_DAY)


@cache
def _asset(name: str) -> bytes:
    return files(_WHEEL).joinpath(_ASSETS[name][0], name).read_bytes()
