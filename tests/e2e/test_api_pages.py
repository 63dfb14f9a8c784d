"""`/docs` shows the API in a browser: operations, their fields and examples, messages to webhooks, from this service alone."""

import json

from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, Visitor


def test_an_operation_is_shown_with_its_fields_and_example(visitor: Visitor) -> None:
    """Opened, it says what it takes and answers; the document of 3.1 is read without a complaint."""
    page = visitor(width=DESKTOP, lang="en")
    page.goto("/docs")

    expect(page.locator(".swagger-ui .info .title")).to_contain_text("riderscore", timeout=60_000)
    expect(page.locator(".version-stamp, .version-pragma").first).to_contain_text("OAS 3.1")
    operation = page.locator("#operations-riders-get_card")
    operation.get_by_text("/v1/riders/{rider_id}/card").click()
    expect(operation).to_contain_text("Accept-Language", timeout=60_000)
    expect(operation).to_contain_text("good_until_us")
    expect(operation).to_contain_text("304")
    assert page.locator(".errors-wrapper").count() == 0


def test_every_operation_is_listed_under_its_tag(visitor: Visitor) -> None:
    """None is left out by the reader, and messages to webhooks stand in a section of their own."""
    page = visitor(width=DESKTOP, lang="en")
    page.goto("/docs")
    document = json.loads(page.request.get("/openapi.json").body())
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]

    expect(page.locator(".swagger-ui .info .title")).to_be_visible(timeout=60_000)
    shown = {element.get_attribute("id") for element in page.locator(".opblock").all()}
    assert {f"operations-{tag}-{name}" for name, tag in tags_of(document).items()} <= shown
    assert len(names) == len(tags_of(document))
    expect(page.locator(".webhooks")).to_contain_text("score.changed")


def tags_of(document: dict) -> dict[str, str]:
    """The tag of each operation."""
    operations = [each for path in document["paths"].values() for each in path.values()]
    return {operation["operationId"]: operation["tags"][0] for operation in operations}
