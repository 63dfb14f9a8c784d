"""Impacts: the stored events of a city under two laws, by the one comparison."""

from api.batch.compare import summary_of
from api.batch.plan import plan
from api.store.units import Store
from rules.ids import digest
from scoring.comparison import compare
from scoring.score import score
from tests.api.store.posts import BOOK, FADING, table_of
from tests.api.work.worlds import ask, city, study, wait_for, working


def test_an_impact_is_the_comparison_of_the_stored_events(store: Store) -> None:
    """The result holds what `scoring.comparison` says of the same events, to the last figure."""
    events = city(store)
    plans = (plan(BOOK), plan(FADING))
    wanted = summary_of(compare(*(score(one.program, one.schedule, table_of(events)) for one in plans)), plans)
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
