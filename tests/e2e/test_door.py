"""The way in and out, in a browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.slow

Faults = Callable[[Page], list[str]]


def test_a_key_opens_what_was_asked_for(visitor: Visitor, key: Callable[..., str], serious_faults: Faults) -> None:
    """Who asks for a page first signs in and then is there; a wrong key says so."""
    page = visitor()
    page.goto("/console/appeals")
    assert serious_faults(page) == []

    page.get_by_label("访问密钥").fill("rs_wrong")
    page.get_by_role("button", name="进入").click()

    expect(page.locator(".fault")).to_contain_text("无效")
    page.get_by_label("访问密钥").fill(key("ops"))
    page.get_by_role("button", name="进入").click()
    expect(page).to_have_url(re.compile("/console/appeals$"))


def test_the_demo_needs_one_click_and_lets_go_with_one(visitor: Visitor) -> None:
    """A role is one click; signing out ends it, also for who has kept the cookie."""
    page = visitor(lang="en")
    page.goto("/")

    page.get_by_role("button", name=re.compile("^Rider r")).first.click()

    expect(page.locator(".score")).to_be_visible()
    kept = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/rider")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.context.add_cookies(kept)
    page.goto("/rider")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_an_address_that_is_none_is_a_page(visitor: Visitor) -> None:
    """A person who mistypes is told so in words."""
    page = visitor()

    found = page.goto("/nothing/here")

    assert found is not None
    assert found.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("没有这个页面。")
