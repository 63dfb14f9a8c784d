"""Impacts: the stored events of a city under two laws, by the one comparison."""

import datetime as dt

import pytest

from api.books import in_force
from api.books.drafts import draft_from_version
from api.books.places import BookPlace
from api.clock import now_us
from api.db.store import Store
from api.runs.compare import summary_document
from api.runs.plan import plan_books
from api.service import Actor
from api.studies import jobs
from rules.deployment import Deploy
from rules.ids import digest
from scoring.comparison import compare
from scoring.score import score
from tests.api.ledger.posts import BOOK, FADING, table_of
from tests.api.studies.worlds import CITY, ask, city, digest_of, study, wait_for, working
from tests.builders import DAY_US

pytestmark = pytest.mark.slow


def test_an_impact_is_the_comparison_of_the_stored_events(store: Store) -> None:
    """The result holds what `scoring.comparison` says of the same events, to the last figure."""
    events = city(store)
    plans = (plan_books(BOOK), plan_books(FADING))
    wanted = summary_document(compare(*(score(one.program, one.schedule, table_of(events)) for one in plans)), plans)
    study_id = ask(store)

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    found = study(store, study_id)
    assert (found.state, found.failure) == ("done", None)
    assert found.result is not None
    assert {name: found.result[name] for name in wanted if name != "books"} == {
        name: value for name, value in wanted.items() if name != "books"
    }
    assert found.result["num_events"] == len(events)
    assert found.result["num_left_out"] == 0
    assert found.result_digest == digest(found.result)


def test_an_impact_of_a_draft_judges_its_content_against_what_is_in_force(store: Store) -> None:
    """Side A is the deployed book, side B the draft as it stood when it was asked; a later edit is another content."""
    events = city(store)
    plans = (plan_books(BOOK), plan_books(FADING))
    wanted = summary_document(compare(*(score(one.program, one.schedule, table_of(events)) for one in plans)), plans)
    who = Actor("ops", "li.na")
    with store.writing(now_us()) as unit:
        row = {"city": CITY, "rider_kind": "crowdsourced", "book": BOOK, "from": dt.date(2025, 12, 3), "source": "test"}
        in_force.deploy(unit, [Deploy.model_validate(row | {"confidence": "ours"})])
        draft = draft_from_version(unit, who, digest_of(FADING), targets=[BookPlace(CITY, "crowdsourced")])
        study_id = jobs.start_impact(unit, who.name, city=CITY, days=7, draft_id=draft.draft_id)

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    found = study(store, study_id)
    assert (found.state, found.failure) == ("done", None)
    assert found.result is not None
    assert found.content_digest == draft.content_digest
    assert found.result["a"]["reference"] == "in_force"
    assert found.result["totals"] == wanted["totals"]
    assert found.result["tiers"] == wanted["tiers"]
    with store.reading() as unit:
        assert jobs.latest_impact(unit, draft.draft_id, draft.content_digest) == found
        assert jobs.latest_impact(unit, draft.draft_id, "0" * 64) is None


def test_what_one_side_cannot_judge_neither_does(store: Store) -> None:
    """In a city without a book in force every event is left out of both sides, and counted."""
    events = city(store)
    study_id = ask(store, a=None)

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    found = study(store, study_id)
    assert found.result is not None
    assert found.result["num_left_out"] == found.result["num_events"] == len(events)
    assert found.result["num_affected"] == 0


def test_days_are_local_days_back_from_the_newest_event(store: Store) -> None:
    """One day is the last one that the city has events of."""
    city(store, days=3)
    whole, last = ask(store, days=7), ask(store, days=1)

    with working(store):
        wait_for(lambda: study(store, whole).has_ended and study(store, last).has_ended)

    results = [study(store, one).result or {} for one in (whole, last)]
    assert results[0]["until_us"] == results[1]["until_us"]
    assert results[1]["from_us"] - results[0]["from_us"] == 6 * DAY_US
    assert 0 < results[1]["num_events"] < results[0]["num_events"]


def test_the_largest_movers_are_named(store: Store) -> None:
    """Who gains and who loses, most first; never both."""
    city(store, num_riders=6)
    study_id = ask(store)

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    movers = (study(store, study_id).result or {})["movers"]
    up = [(one["income_fen_diff"], one["score_mp_diff"]) for one in movers["up"]]
    down = [(one["income_fen_diff"], one["score_mp_diff"]) for one in movers["down"]]
    assert up == sorted(up, reverse=True)
    assert down == sorted(down)
    assert up + down
    assert not {one["rider_id"] for one in movers["up"]} & {one["rider_id"] for one in movers["down"]}
