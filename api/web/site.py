"""All pages of the service."""

from importlib import import_module
from typing import Final

from fastapi import FastAPI

from api.web import static_files

# Modules with a `router` of pages, in the order in which paths are looked up.
PAGES: Final = (
    "api.web.pages.door",
    "api.web.pages.rider",
    "api.web.pages.dashboard",
    "api.web.pages.appeals",
    "api.web.pages.reviews",
    "api.web.pages.audit",
    "api.web.pages.books",
    "api.web.pages.drafts",
    "api.web.pages.draft_files",
    "api.web.pages.impacts",
    "api.web.pages.approvals",
    "api.web.pages.studies",
)


def add_site(app: FastAPI) -> None:
    """Give an app its pages."""
    app.include_router(static_files.router)
    for name in PAGES:
        app.include_router(import_module(name).router)
