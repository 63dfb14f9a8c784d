"""The form of a study: what is asked for reaches the work, and nothing that takes long unless it was asked for."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.db.store import Store
from api.studies.jobs import studies_of
from rules.shelf import versions
from tests.api.endpoints.pages.conftest import HERE, SignIn, token_of
from tests.api.ledger.posts import BOOK

FORM = {"scenario": "ordinary-week", "a": "legacy-fine", "seeds": "3", "days": "1", "sets": "riders=12"}


def post(client: TestClient, **changes: str) -> tuple[int, str]:
    """Send the form; status and page."""
    form = FORM | {"b": versions(BOOK)[-1].digest, "form_token": token_of(client)} | changes
    answer = client.post("/console/studies", data=form, headers=HERE)
    return answer.status_code, answer.text


def asked(store: Store) -> dict[str, Any]:
    """The request of the newest study."""
    with store.reading() as unit:
        return studies_of(unit).items[0].request


def test_a_quick_study_is_what_one_gets(sign_in: SignIn, store: Store) -> None:
    """The form opens with no sensitivity chosen, and one that names none runs none."""
    client = sign_in("policy", "wang")

    opened = client.get("/console/studies").text
    status, _ = post(client)

    assert '<option value="off" selected>' in opened
    assert status == 303
    assert (asked(store)["sensitivity"], asked(store)["sweeps"]) == ("off", [])


@pytest.mark.parametrize("name", ["one-at-a-time", "morris", "both"])
def test_sensitivity_is_chosen(sign_in: SignIn, store: Store, name: str) -> None:
    """Each way that the command has."""
    client = sign_in("policy", "wang")

    status, _ = post(client, sensitivity=name)
    listed = client.get("/console/studies").text

    assert status == 303
    assert asked(store)["sensitivity"] == name
    assert f'<option value="{name}"' in listed


def test_a_sweep_reaches_the_work(sign_in: SignIn, store: Store) -> None:
    """One line a key; the study's page names it."""
    client = sign_in("policy", "wang")
    sweep = "b:tier.reward.bonus_fen=0,50"

    post(client, sweeps=f"{sweep}\n\n", sensitivity="both")
    with store.reading() as unit:
        study_id = studies_of(unit).items[0].study_id
    page = client.get(f"/console/studies/{study_id}", headers={"Accept-Language": "en"}).text

    assert asked(store)["sweeps"] == [sweep]
    assert sweep in page


def test_what_is_no_choice_is_refused(sign_in: SignIn) -> None:
    """A way of varying that there is not, and a sweep of thousands: told, and what was filled in stays."""
    client = sign_in("policy", "wang")
    many = "riders=" + ",".join(str(number) for number in range(201))

    first = post(client, sensitivity="all")
    second = post(client, sweeps=many)

    assert (first[0], second[0]) == (422, 422)
    assert "one-at-a-time, morris" in first[1]
    assert many in second[1]
