"""All pages of the service."""

from importlib import import_module
from typing import Final

from fastapi import FastAPI

from api.endpoints.common import static_files

# Modules with a `router` of pages, in the order in which paths are looked up.
PAGES: Final = (
    "api.endpoints.access.sign_in_pages",
    "api.endpoints.riders.pages",
    "api.endpoints.cities.pages",
    "api.endpoints.decisions.appeal_pages",
    "api.endpoints.decisions.review_pages",
    "api.endpoints.access.audit_pages",
    "api.endpoints.books.pages",
    "api.endpoints.books.draft_pages",
    "api.endpoints.books.draft_file_pages",
    "api.endpoints.books.impact_pages",
    "api.endpoints.books.approval_pages",
    "api.endpoints.studies.pages",
)


def add_pages(app: FastAPI) -> None:
    """Give an app its pages."""
    app.include_router(static_files.router)
    for name in PAGES:
        app.include_router(import_module(name).router)
