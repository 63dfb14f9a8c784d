"""The demo's database: a sample city as some weeks of service leave it, each step with the clock of its time.

A change of the rules took effect midway, another is announced, one is being drafted, one waits for approval; appeals
are open. Made apart and put in place at once: what was stopped half-way is made again.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from api.books import approvals, drafts, scheduling
from api.books.checking import check_draft
from api.books.deployment import put_in_force, seed_shipped
from api.books.draft_rows import Draft
from api.books.in_force import rules_in_force
from api.cities.daily_figures import refresh
from api.db import schema
from api.db.identity import mark_demo
from api.db.store import Store
from api.decisions.appeals import decide_appeal, file_appeal
from api.ledger.posting import post_events, write_due
from api.refusals import Refused
from api.riders.people import Person, save_person
from api.riders.sample_riders import example_riders, recent_deductions
from api.studies.impact import judge_impact
from api.studies.jobs import start_impact
from api.studies.leases import finish, lease_next_study
from rules.edits import AddRow, Edit, SetCell
from rules.shelf import deployment
from rules.units import US_PER_DAY, US_PER_S
from scoring.columns import EVENT_SCHEMA

CITY: Final = "sample"
# Beside its own city the demo has those of one platform, as published.
PLATFORM: Final = "taobao"
ZONE: Final = ZoneInfo("Asia/Shanghai")
HOUR_US: Final = 3_600 * US_PER_S
DAYS_OF_IMPACT: Final = 14
# The book's notice, a day to approve, and the day on which the past change took effect.
_LEAD_DAYS: Final = 18
_NAMES: Final = (("李明", "13800000001"), ("王芳", "13800000002"), ("赵强", "13800000003"))
_APPEALS: Final = (
    ("merchant_slow", "到店时商家还没开始做，等了二十多分钟才出餐。", "照片 1"),
    ("access_blocked", "小区不让电动车进，走了很远的路。", "照片 2"),
    ("record_wrong", "我早就送到了，地下室没有信号，点不了送达。", None),
    ("customer_unreachable", "打了三次电话没人接，在楼下等了十分钟。", "通话记录"),
)

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A person of the demo, as verbs want to know who asks."""

    role: str
    subject: str
    cities: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the audit trail names them."""
        return f"{self.role}:{self.subject}"


OPS: Final = DemoUser("ops", "li.na")
OTHER_OPS: Final = DemoUser("ops", "chen.jie")
APPROVER: Final = DemoUser("approver", "wang.wei")


def make_store(path: Path, table: pa.Table, now_us: int, tell: Tell) -> None:
    """Make the demo's database.

    Parameters
    ----------
    path
        Of the database file; nothing is there before all is done.
    table
        Events of the sample city, as an event file has them.
    tell
        Hears how many steps of how many are done.
    """
    folder = path.parent / f"{path.name}.making"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = Store(f"sqlite:///{folder / path.name}")
    try:
        schema.upgrade(store)
        _live(store, table.select(EVENT_SCHEMA.names), now_us, tell)
    finally:
        store.close()
    (folder / path.name).replace(path)
    shutil.rmtree(folder)


def catch_up(path: Path, table: pa.Table, since_us: int, now_us: int, tell: Tell) -> None:
    """Post what happened in the city since the demo was last started, a day at a time.

    Parameters
    ----------
    since_us, now_us
        What occurred after the first and not after the second is posted.
    """
    store = Store(f"sqlite:///{path}")
    try:
        schema.upgrade(store)
        table = table.select(EVENT_SCHEMA.names)
        starts = range(since_us, now_us, US_PER_DAY)
        for done, start_us in enumerate(starts, start=1):
            end_us = min(start_us + US_PER_DAY, now_us)
            is_of_day = pc.and_(pc.greater(table["occurred_us"], start_us), pc.less_equal(table["occurred_us"], end_us))
            with store.writing(now_us) as unit:
                post_events(unit, rules_in_force(unit), table.filter(is_of_day))
            tell(done, len(starts))
        refresh(store, now_us)
    finally:
        store.close()


def _live(store: Store, table: pa.Table, now_us: int, tell: Tell) -> None:
    table = table.filter(pc.less_equal(table["occurred_us"], now_us))
    start_us: int = pc.min(table["occurred_us"]).as_py()
    num_days = (now_us - start_us) // US_PER_DAY + 1
    steps = num_days + 3
    _begin(store, start_us, num_days)
    tell(1, steps)
    for day in range(num_days):
        _day(store, table, start_us + day * US_PER_DAY, min(start_us + (day + 1) * US_PER_DAY, now_us))
        tell(day + 2, steps)
    _appeal(store, now_us)
    _announce(store, now_us - US_PER_DAY)
    _draft(store, now_us)
    tell(steps - 1, steps)
    refresh(store, now_us)
    tell(steps, steps)


def _begin(store: Store, start_us: int, num_days: int) -> None:
    """The shipped law, and a change of it that takes effect midway."""
    with store.writing(start_us - (_LEAD_DAYS + 2) * US_PER_DAY) as unit:
        mark_demo(unit)
        seed_shipped(unit)
        put_in_force(unit, "service:demo", deployment().of(PLATFORM).rows)
    at_us = start_us - _LEAD_DAYS * US_PER_DAY
    day = _date(start_us) + dt.timedelta(days=num_days // 2)
    with store.writing(at_us) as unit:
        draft = drafts.draft_from_place(unit, OPS, CITY, "crowdsourced")
        edits = [
            *_dated(_date(at_us), day),
            *_pointed(draft, "bad_review", -1),
        ]
        draft = drafts.edit_cells(unit, OPS, draft.draft_id, draft.etag, edits)
        draft = approvals.submit(unit, OPS, draft.draft_id, draft.etag)
    _approve(store, draft, at_us + 3 * HOUR_US, "差评从严，首个仍不扣分；已与骑手代表沟通。")


def _day(store: Store, table: pa.Table, from_us: int, until_us: int) -> None:
    """What a day brings, posted at its end; what fell due is written."""
    is_of_day = pc.and_(pc.greater_equal(table["occurred_us"], from_us), pc.less(table["occurred_us"], until_us))
    with store.writing(until_us) as unit:
        scheduling.activate_due(unit)
        law = rules_in_force(unit)
        post_events(unit, law, table.filter(is_of_day))
        write_due(unit, law, until_us)


def _approve(store: Store, draft: Draft, at_us: int, reason: str, impact_id: str | None = None) -> None:
    """A second person approves, and the author puts it on the schedule."""
    with store.writing(at_us) as unit:
        draft = approvals.approve(
            unit, APPROVER, draft.draft_id, None,
            content_digest=draft.content_digest, reason=reason, impact_id=impact_id,
        )  # fmt: skip
        scheduling.schedule(unit, OPS, draft.draft_id, draft.etag)


def _appeal(store: Store, now_us: int) -> None:
    """Riders appeal on the last day; one appeal is answered."""
    with store.reading() as unit:
        chosen = recent_deductions(unit, now_us - 2 * US_PER_DAY, len(_APPEALS))
        people = example_riders(unit)
    with store.writing(now_us - 5 * HOUR_US) as unit:
        for rider, (name, phone) in zip(people, _NAMES, strict=False):
            save_person(unit, Person(rider, name, phone), "platform:demo")
    filed = []
    for number, ((rider, entry), words) in enumerate(zip(chosen, _APPEALS, strict=False)):
        with store.writing(now_us - (4 - number) * HOUR_US) as unit:
            try:
                filed.append(file_appeal(unit, rider, entry, *words, f"rider:{rider}")[0])
            except Refused:
                # What was corrected or exempted since cannot be appealed.
                continue
    if filed:
        with store.writing(now_us) as unit:
            reason = "照片与商家后台记录一致，撤销扣分。"
            decide_appeal(unit, rules_in_force(unit), filed[0].appeal_id, True, "evidence_accepted", reason, OPS.name)


def _announce(store: Store, at_us: int) -> None:
    """A change that was approved with its impact yesterday, and of which riders are told."""
    with store.writing(at_us) as unit:
        draft = drafts.draft_from_place(unit, OPS, CITY, "crowdsourced")
        edits = [
            *_pointed(draft, "on_time", 0.3),
            SetCell(path="/fading/after_days", value=21),
            SetCell(
                path="/fading/note", value={"zh": "扣分 21 天后返还。", "en": "A deduction is returned after 21 days."}
            ),
        ]
        draft = drafts.edit_cells(unit, OPS, draft.draft_id, draft.etag, edits)
        draft = approvals.submit(unit, OPS, draft.draft_id, draft.etag)
    impact_id = _impact(store, draft, at_us + HOUR_US)
    _approve(store, draft, at_us + 2 * HOUR_US, "准时加分提高，扣分返还提前；影响评估显示无人收入减少。", impact_id)


def _draft(store: Store, now_us: int) -> None:
    """One change that is being drafted, and one that waits for a second person."""
    with store.writing(now_us - HOUR_US) as unit:
        draft = drafts.draft_from_place(unit, OPS, CITY, "crowdsourced")
        edits: list[Edit] = [
            SetCell(path=f"{_row(draft, 'complaint')}/points", value=-1.5),
            AddRow(op="add", part="cap", value=_daily_cap()),
        ]
        drafts.edit_cells(unit, OPS, draft.draft_id, draft.etag, edits)
    with store.writing(now_us - HOUR_US) as unit:
        draft = drafts.draft_from_place(unit, OTHER_OPS, "hangzhou", "crowdsourced")
        edits = _pointed(draft, "late_over_5", -1.5)
        draft = drafts.edit_cells(unit, OTHER_OPS, draft.draft_id, draft.etag, edits)
        if check_draft(unit, draft, unit.recorded_us).can_submit:
            approvals.submit(unit, OTHER_OPS, draft.draft_id, draft.etag)


def _impact(store: Store, draft: Draft, at_us: int) -> str:
    """The impact of a draft, done here and now."""
    with store.writing(at_us) as unit:
        study_id = start_impact(unit, OPS.name, city=CITY, days=DAYS_OF_IMPACT, draft_id=draft.draft_id)
        claimed_study = lease_next_study(unit, "demo")
    if claimed_study is None:
        raise RuntimeError("nobody else works on a database that is being made")
    result = judge_impact(store, claimed_study.study.request, lambda _permille, _stage: None)
    with store.writing(at_us) as unit:
        finish(unit, study_id, claimed_study.owner, result)
    return study_id


def _date(at_us: int) -> dt.date:
    return dt.datetime.fromtimestamp(at_us // US_PER_S, ZONE).date()


def _dated(announced: dt.date, effective: dt.date) -> Sequence[Edit]:
    return [SetCell(path="/announced", value=announced), SetCell(path="/effective_from", value=effective)]


def _row(draft: Draft, rule_id: str) -> str:
    """Where a rule of a draft stands."""
    positions = (at for at, rule in enumerate(draft.document["rule"]) if rule["id"] == rule_id)
    return f"/rule/{next(positions)}"


def _pointed(draft: Draft, rule_id: str, points: float) -> list[Edit]:
    """Other points for a rule, and its examples with them."""
    row = _row(draft, rule_id)
    rule = next(rule for rule in draft.document["rule"] if rule["id"] == rule_id)
    expected = [
        SetCell(path=f"{row}/example/{number}/expect/{key}", value=points)
        for number, example in enumerate(rule["example"])
        for key in ("points", "net_points")
        if example["expect"].get(key) == rule["points"]
    ]
    return [SetCell(path=f"{row}/points", value=points), *expected]


def _daily_cap() -> dict[str, Any]:
    return {
        "id": "day_complaints",
        "title": {"zh": "每天投诉最多扣 3 分", "en": "At most 3 points a day for complaints"},
        "scope": "day",
        "max_deduct": 3,
        "kinds": ["complaint"],
        "source": "本市自定",
        "confidence": "ours",
    }
