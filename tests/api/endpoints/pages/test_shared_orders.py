"""The console shows orders that two riders delivered, and what each delivery did."""

import html
import re

import pytest

from api.db.store import Store
from rules.text import LANGS, Lang, text
from tests.api.endpoints.pages.conftest import SignIn
from tests.api.ledger.posts import later, post
from tests.builders import delivered


@pytest.mark.parametrize("lang", LANGS)
def test_both_deliveries_can_be_looked_at(sign_in: SignIn, store: Store, lang: Lang) -> None:
    """The dashboard counts the order and leads to each delivery's times and entries."""
    client = sign_in("ops")
    post(store, later([delivered(f"e&{k}", rider_id=f"r{k}", order_id="o1", at_min=k, late_min=9) for k in (1, 2)]))

    page = client.get("/console", params={"lang": lang}).text
    links = [html.unescape(one) for one in re.findall(r'href="(/console/delivery[^"]*)"', page)]

    assert text(lang, "shared.title") in page
    assert len(links) == 2
    for number, link in enumerate(links, 1):
        shown = client.get(link, params={"lang": lang} if "?" not in link else None)
        assert shown.status_code == 200
        told = html.unescape(shown.text)
        assert f"e&{number}" in told
        assert "o1" in told
        assert 'class="delta' in told or "delta " in told


def test_a_delivery_of_another_city_is_not_found(sign_in: SignIn, store: Store) -> None:
    """Nor is one that nobody has, or the list shown to who may not look at riders."""
    client = sign_in("ops", cities=("shanghai",))
    post(store, later([delivered(f"e{k}", rider_id=f"r{k}", order_id="o1", at_min=k) for k in (1, 2)]))
    assert client.get("/console/delivery?rider=r1&event=e1").status_code == 404
    assert client.get("/console/delivery?rider=r1&event=none").status_code == 404

    client = sign_in("policy")
    assert "/console/delivery" not in client.get("/console").text
    assert client.get("/console/delivery?rider=r1&event=e1").status_code == 403
