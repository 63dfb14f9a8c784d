"""`python -m api.studies.job_process`: does one claim of long work to its end, then goes.

The order (`api.child_process`) names database, claim and folder.
"""

import sys
from pathlib import Path
from typing import Any

from api.child_process import read_order
from api.clock import now_us
from api.db.store import Store
from api.runs.engines import WorkersLostError
from api.studies.impact import NUM_EVENTS_MAX, NothingToJudgeError, TooManyEventsError, judge_impact
from api.studies.jobs import Failure, Study, study_of
from api.studies.leases import LeaseLostError, Progress, fail, finish
from rules.errors import BookError


def main() -> None:
    """Read the order, do the work, keep what came of it."""
    order = read_order()
    store = Store(order["url"])
    study_id, owner = order["study_id"], order["owner"]
    with store.reading() as unit:
        study = study_of(unit, study_id)
    try:
        result = _work(store, study, owner, Path(order["folder"]))
        with store.writing(now_us()) as unit:
            finish(unit, study_id, owner, result)
    except LeaseLostError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it was, whoever asked for it must be told
        failure = failure_of(error)
        with store.writing(now_us()) as unit:
            fail(unit, study_id, owner, failure)
        # Last, because writing to stderr blocks if nobody reads it.
        if failure.code == "unexpected":
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        store.close()


def _work(store: Store, study: Study, owner: str, folder: Path) -> dict[str, Any]:
    progress = Progress(store, study.study_id, owner)
    if study.kind == "impact":
        return judge_impact(store, study.request, progress.report)
    from api.studies.simulation import simulate

    return simulate(store, study, owner, folder, progress)


def failure_of(error: Exception) -> Failure:
    """What people are told about an error."""
    if isinstance(error, BookError):
        return Failure("faulty_book", {}, error.faults)
    if isinstance(error, NothingToJudgeError):
        return Failure("nothing_to_judge")
    if isinstance(error, TooManyEventsError):
        return Failure("too_many_events", {"num_events": error.num_events, "num_events_max": NUM_EVENTS_MAX})
    if isinstance(error, MemoryError | WorkersLostError):
        return Failure("out_of_memory")
    faults = getattr(error, "faults", None)
    if faults:
        return Failure("faulty_request", {}, tuple(faults))
    return Failure("unexpected", {"what": f"{type(error).__name__}: {error}"[:500]})


if __name__ == "__main__":
    main()
