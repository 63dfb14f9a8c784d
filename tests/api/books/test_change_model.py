"""Whatever people do in whatever order: nothing unapproved, self-approved or overtaken is ever in force.

Verbs are called at random, allowed or not, while days go by; beside them a plain record is kept of who wrote and who
approved what. After each step the law in the database is held against that record.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from api.books import approvals, drafts, in_force, rollback, scheduling
from api.books.checking import LEAD_US
from api.books.draft_rows import Draft, draft_of
from api.books.places import judging
from api.db.store import Store
from api.db.tables import books as books_table
from api.refusals import Refused
from rules.edits import SetCell
from tests.api.books.worlds import BOTH, HERE, NOW_US, Someone, changed, enact, said_yes, version
from tests.api.db.databases import create_tables
from tests.builders import DAY_US, HOUR_US

pytestmark = pytest.mark.slow

PEOPLE = tuple(Someone(name) for name in ("ann", "ben", "cai", "dee"))
WHO = st.sampled_from(PEOPLE)
ANY = st.integers(0, 5)


@cache
def template() -> Path:
    """A database with one book in force in two cities, made once."""
    path = Path(tempfile.mkdtemp(prefix="riderscore-law-")) / "law.db"
    store = Store(f"sqlite:///{path}")
    create_tables(store)
    enact(store, version())
    # The last to leave writes the log back: the file alone is the database.
    store.close()
    return path


@dataclass
class Record:
    """What a clerk beside the system would write down about a draft."""

    authors: set[str]
    revision: int = 0
    approved: set[tuple[int, str]] = field(default_factory=set)
    edited_us: int = 0
    scheduled_us: int | None = None


class Law(RuleBasedStateMachine):
    """People, verbs and days."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="riderscore-law-"))
        path = self.folder / "law.db"
        shutil.copy(template(), path)
        self.store = Store(f"sqlite:///{path}")
        self.now_us = NOW_US
        self.records: dict[str, Record] = {}
        # What judged at each moment we looked.
        self.judged: dict[int, str] = {}

    def teardown(self) -> None:
        # At last the day comes for whatever is still on the schedule.
        self.pass_time(12 * DAY_US)
        self.nothing_is_in_force_unread()
        self.the_past_stays_as_it_was_judged()
        self.both_places_share_their_book()
        self.store.close()
        shutil.rmtree(self.folder)

    def attempt(self, verb: Any) -> Draft | None:
        """The draft after a verb, or None where it was refused."""
        self.now_us += 1
        try:
            with self.store.writing(self.now_us) as unit:
                return verb(unit)
        except Refused:
            return None

    def chosen(self, which: int) -> str:
        """One of the drafts."""
        return list(self.records)[which % len(self.records)]

    def wrote(self, draft: Draft | None, who: Someone) -> None:
        """Note an author; who saved what stood there already has written nothing."""
        if draft is None:
            return
        record = self.records.setdefault(draft.draft_id, Record(set()))
        if draft.revision > record.revision:
            record.authors.add(who.subject)
            record.revision, record.edited_us = draft.revision, self.now_us

    @rule(who=WHO)
    def begin(self, who: Someone) -> None:
        """A change of what is in force."""

        def verb(unit: Any) -> Draft:
            now = judging(in_force.rules_in_force(unit), HERE, unit.recorded_us)
            assert now is not None
            draft = drafts.draft_from_version(unit, who, now.digest)
            return drafts.edit_cells(unit, who, draft.draft_id, draft.etag, changed(-1 - len(self.records)))

        self.wrote(self.attempt(verb), who)

    @rule(which=ANY, who=WHO, days=st.integers(1, 9))
    def edit(self, which: int, who: Someone, days: int) -> None:
        """A cell."""
        cells = [SetCell(path="/late_days", value=days)]
        self.wrote(self.attempt(lambda unit: drafts.edit_cells(unit, who, self.chosen(which), None, cells)), who)

    @rule(which=ANY, who=WHO, verb=st.sampled_from([drafts.undo, drafts.rebase]))
    def step_back(self, which: int, who: Someone, verb: Any) -> None:
        """The edit before, or the law as it is now."""
        self.wrote(self.attempt(lambda unit: verb(unit, who, self.chosen(which), None)), who)

    @rule(which=ANY, who=WHO)
    def submit(self, which: int, who: Someone) -> None:
        """Ask for approval."""
        self.attempt(lambda unit: approvals.submit(unit, who, self.chosen(which), None))

    @rule(which=ANY, who=WHO)
    def approve(self, which: int, who: Someone) -> None:
        """By anybody, authors too."""
        draft = self.attempt(lambda unit: said_yes(unit, draft_of(unit, self.chosen(which)), who))
        if draft is not None:
            record = self.records[draft.draft_id]
            assert who.subject not in record.authors
            record.approved.add((draft.revision, draft.content_digest))
            if draft.state == "scheduled":
                record.scheduled_us = self.now_us

    @rule(which=ANY, who=WHO)
    def reject(self, which: int, who: Someone) -> None:
        """Send back."""

        def verb(unit: Any) -> Draft:
            draft = draft_of(unit, self.chosen(which))
            return approvals.reject(unit, who, draft.draft_id, None, content_digest=draft.content_digest, reason="no")

        self.attempt(verb)

    @rule(which=ANY, who=WHO)
    def schedule(self, which: int, who: Someone) -> None:
        """Put on the schedule."""
        draft = self.attempt(lambda unit: scheduling.schedule(unit, who, self.chosen(which), None))
        if draft is not None:
            self.records[draft.draft_id].scheduled_us = self.now_us

    @rule(which=ANY, who=WHO, verb=st.sampled_from([scheduling.cancel, drafts.withdraw]))
    def give_up(self, which: int, who: Someone, verb: Any) -> None:
        """Take off the schedule, or withdraw."""
        self.attempt(lambda unit: verb(unit, who, self.chosen(which), None, "changed our minds"))

    @rule(who=WHO)
    def restore_the_first(self, who: Someone) -> None:
        """One step back to where it all began."""
        verb = rollback.roll_back
        self.wrote(self.attempt(lambda unit: verb(unit, who, "city", version().digest, "as it was")), who)

    @initialize(who=st.permutations(PEOPLE))
    def first_change(self, who: list[Someone]) -> None:
        """There is always something to argue about."""
        self.whole_change(who)

    @rule(who=st.permutations(PEOPLE))
    def whole_change(self, who: list[Someone]) -> None:
        """All steps of a change in one go, as people should, so that many get as far as the schedule."""
        author, approver = who[0], who[1]
        self.begin(author)
        which = len(self.records) - 1
        self.submit(which, author)
        self.approve(which, approver)
        self.schedule(which, author)

    @rule(span=st.sampled_from([HOUR_US, DAY_US, 9 * DAY_US, 9 * DAY_US]))
    def time_passes(self, span: int) -> None:
        """And somebody posts."""
        self.pass_time(span)

    def pass_time(self, span: int) -> None:
        """Move the clock, and put in force what is due."""
        self.now_us += span
        with self.store.writing(self.now_us) as unit:
            for done in scheduling.activate_due(unit):
                event("suspended" if done.conflicts else "in force")
            now = judging(in_force.rules_in_force(unit), HERE, self.now_us)
        assert now is not None
        self.judged[self.now_us] = now.digest

    @invariant()
    def nothing_is_in_force_unread(self) -> None:
        """Each version in the store but the first was approved, as it stands, by somebody who never touched it."""
        with self.store.reading() as unit:
            stored = set(unit.connection.scalars(select(books_table.c.digest))) - {version().digest}
            enacted = {}
            for draft_id, record in self.records.items():
                draft = draft_of(unit, draft_id)
                assert set(draft.authors) == record.authors
                if draft.state in ("approved", "scheduled", "in_force"):
                    assert (draft.revision, draft.content_digest) in record.approved
                    said = [one for one in approvals.approvals_of(unit, draft_id) if one.revision == draft.revision]
                    assert {one.approver for one in said if one.decision == "approved"} - record.authors
                if draft.state == "in_force":
                    enacted[str(draft.book_digest)] = draft
                    assert draft.effective_us is not None
                    assert record.scheduled_us is not None
                    assert self.now_us >= draft.effective_us - LEAD_US
                    assert record.edited_us <= record.scheduled_us < draft.effective_us - LEAD_US
                    if draft.rolls_back is None:
                        # At least six whole days and what is left of today: seven days by the calendar.
                        assert draft.effective_us - record.scheduled_us > 6 * DAY_US
        assert stored == set(enacted)

    @invariant()
    def the_past_stays_as_it_was_judged(self) -> None:
        """No step changes which version judges a moment that has been."""
        with self.store.reading() as unit:
            law = in_force.rules_in_force(unit)
            for at_us, digest in self.judged.items():
                now = judging(law, HERE, at_us)
                assert now is not None
                assert now.digest == digest

    @invariant()
    def both_places_share_their_book(self) -> None:
        """A change of a shared book reaches all its places at once."""
        with self.store.reading() as unit:
            law = in_force.rules_in_force(unit)
            found = [judging(law, place, self.now_us + 30 * DAY_US) for place in BOTH]
        assert len({None if one is None else one.digest for one in found}) == 1


TestLaw = Law.TestCase
TestLaw.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
