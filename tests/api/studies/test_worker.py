"""Long work is done once, watched, stopped, given up, and taken up again after a kill."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from api.clock import now_us
from api.db.store import Store
from api.db.tables import studies as rows
from api.refusals import Refused
from api.studies import jobs, leases
from tests.api.studies.worlds import CITY, ask, city, other_server, run_out, study, wait_for, working

pytestmark = pytest.mark.slow


def working_for(pid: int) -> list[int]:
    """Processes that do long work for another, whichever of its threads has started them."""
    words: list[str] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            words += (thread / "children").read_text().split()
    # One that is just being started still has the name of whoever starts it.
    return [int(word) for word in words if b"api.studies.job_process" in command_of(word)]


def command_of(pid: str) -> bytes:
    """How a process was called; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def stopped_child(process: subprocess.Popen[bytes]) -> int:
    """The process that works for a server, held where it is."""
    pid = int(wait_for(lambda: working_for(process.pid))[0])
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_those_who_watch_see_each_step(store: Store) -> None:
    """Steps are numbered without a gap, never go back, and end with the end."""
    city(store)
    study_id = ask(store)

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    with store.reading() as unit:
        steps = jobs.steps_of(unit, study_id)
        later = jobs.steps_of(unit, study_id, steps[2].step)
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert [step.permille for step in steps] == sorted(step.permille for step in steps)
    assert (steps[0].state, steps[1].state, steps[-1].state, steps[-1].permille) == ("waiting", "running", "done", 1000)
    assert {"events", "score", "compare"} <= {step.stage for step in steps}
    assert later == steps[3:]


def test_cancelled_work_is_killed(store: Store, url: str) -> None:
    """Work that answers nothing any more is ended all the same, and stays cancelled."""
    city(store)
    study_id = ask(store)
    with other_server(url) as process:
        child = stopped_child(process)

        with store.writing(now_us()) as unit:
            jobs.cancel(unit, "ops:li.na", study_id)

        wait_for(lambda: not Path(f"/proc/{child}").exists())
    assert study(store, study_id).state == "cancelled"
    with store.writing(now_us()) as unit, pytest.raises(Refused, match="study_ended"):
        jobs.cancel(unit, "ops:li.na", study_id)


def test_work_that_waits_is_cancelled_at_once(store: Store) -> None:
    """Nobody takes it up afterwards."""
    city(store)
    study_id = ask(store)
    with store.writing(now_us()) as unit:
        jobs.cancel(unit, "ops:li.na", study_id)
        assert leases.lease_next_study(unit, "somebody") is None
    assert study(store, study_id).state == "cancelled"


def test_a_killed_server_leaves_its_work_to_others(store: Store, url: str) -> None:
    """SIGKILL to the server: when its lease is over another does the work; who comes back late changes nothing."""
    city(store)
    study_id = ask(store)
    with other_server(url) as process:
        child = stopped_child(process)
        process.kill()
        process.wait()
        assert study(store, study_id).state == "running"
        run_out(store, study_id)

        with working(store):
            wait_for(lambda: study(store, study_id).has_ended)

        done = study(store, study_id)
        os.kill(child, signal.SIGCONT)
        wait_for(lambda: not Path(f"/proc/{child}").exists())
    assert done.state == "done"
    assert study(store, study_id) == done


def test_a_process_goes_when_its_server_is_gone(store: Store, url: str) -> None:
    """Nothing works on for a server that was killed."""
    city(store)
    ask(store)
    with other_server(url) as process:
        child = stopped_child(process)
        process.kill()
        process.wait()

        os.kill(child, signal.SIGCONT)

        wait_for(lambda: not Path(f"/proc/{child}").exists())


def test_a_server_that_stops_gives_its_work_back(store: Store, url: str) -> None:
    """Others need not wait for the lease, and the start does not count."""
    city(store)
    study_id = ask(store)

    with working(store) as worker:
        pid = wait_for(lambda: working_for(os.getpid()))[0]
        os.kill(pid, signal.SIGSTOP)
        worker.ask_to_stop()
        wait_for(lambda: study(store, study_id).state == "waiting")

    with store.writing(now_us()) as unit:
        held = leases.lease_next_study(unit, "another")
        starts = unit.connection.execute(rows.select()).one().num_starts
    assert held is not None
    assert (held.study.study_id, starts) == (study_id, 1)


def test_work_that_ends_its_process_is_given_up(store: Store) -> None:
    """After a few starts the failure says so, in both languages."""
    city(store)
    study_id = ask(store)

    with working(store):
        killed: set[int] = set()
        while not study(store, study_id).has_ended:
            for pid in working_for(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    found = study(store, study_id)
    assert found.state == "failed"
    assert found.failure is not None
    assert found.failure.code == "died"
    assert len(killed) == leases.STARTS_MAX
    assert str(leases.STARTS_MAX) in found.failure.describe("en")
    assert str(leases.STARTS_MAX) in found.failure.describe("zh")


def test_two_servers_never_do_the_same_work(store: Store, url: str) -> None:
    """Each piece is begun once, whoever begins it."""
    city(store, num_riders=2, days=1)
    asked = [ask(store) for _ in range(4)]

    with other_server(url), other_server(url), working(store):
        wait_for(lambda: all(study(store, study_id).has_ended for study_id in asked))

    with store.reading() as unit:
        found = unit.connection.execute(rows.select()).all()
    assert {(row.state, row.num_starts) for row in found} == {("done", 1)}


def test_who_lost_the_lease_writes_nothing(store: Store) -> None:
    """Progress, files, results and failures of a former owner are refused."""
    city(store)
    study_id = ask(store)
    with store.writing(now_us()) as unit:
        assert leases.lease_next_study(unit, "first") is not None
    run_out(store, study_id)
    with store.writing(now_us()) as unit:
        assert leases.lease_next_study(unit, "second") is not None
        before = jobs.study_of(unit, study_id)

        for write in (
            lambda: leases.advance(unit, study_id, "first", 500, "score"),
            lambda: leases.finish(unit, study_id, "first", {}),
            lambda: leases.keep_file(unit, study_id, "first", "a.json", b"{}"),
        ):
            with pytest.raises(leases.LeaseLostError):
                write()
        leases.fail(unit, study_id, "first", jobs.Failure("died", {"num_starts": 1}))
        assert not leases.renew(unit, study_id, "first")

        assert jobs.study_of(unit, study_id) == before
        assert jobs.files_of(unit, study_id) == ()


def test_failures_are_told(store: Store) -> None:
    """A city without events: the work fails, and says why in both languages."""
    city(store)
    with store.writing(now_us()) as unit:
        study_id = jobs.start_impact(unit, "ops:li.na", city="nowhere", a=None, b=ask_digest())

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    found = study(store, study_id)
    assert found.state == "failed"
    assert found.failure is not None
    assert found.failure.code == "nothing_to_judge"
    assert found.failure.describe("zh") != found.failure.describe("en")


def ask_digest() -> str:
    """A stored version."""
    from tests.api.ledger.posts import FADING
    from tests.api.studies.worlds import digest_of

    return digest_of(FADING)


def test_only_what_may_be_seen_is_shown(store: Store) -> None:
    """An impact of another city is unknown, but to whoever asked for it."""
    city(store)
    study_id = ask(store)

    with store.reading() as unit:
        for cities in ((), (CITY,)):
            assert jobs.study_of(unit, study_id, cities).study_id == study_id
            assert [one.study_id for one in jobs.studies_of(unit, cities=cities).items] == [study_id]
        with pytest.raises(Refused, match="unknown_study"):
            jobs.study_of(unit, study_id, ("suzhou",))
        assert jobs.studies_of(unit, cities=("suzhou",)).items == ()
        assert jobs.study_of(unit, study_id, ("suzhou",), "ops:li.na").study_id == study_id


def test_pages_are_newest_first(store: Store) -> None:
    """Each once, whatever is added meanwhile."""
    city(store, num_riders=1, days=1)
    asked = [ask(store) for _ in range(5)]

    seen, cursor = [], None
    while True:
        with store.reading() as unit:
            page = jobs.studies_of(unit, cursor=cursor, limit=2)
        seen += [one.study_id for one in page.items]
        ask(store)
        cursor = page.cursor
        if cursor is None:
            break

    assert seen == asked[::-1]
