"""How the shapes of rule books and drafts are made of what the store says, in one language."""

from collections.abc import Iterable

from api.books.approvals import Approval
from api.books.catalogue import BookBrief, PlaceShelf, Version, VersionBrief
from api.books.checking import Checked
from api.books.draft_rows import Draft, DraftBrief, Revision
from api.books.places import BookPlace
from api.books.scheduling import ScheduledChange
from api.endpoints.books.shapes import (
    ApprovalShown,
    BookLine,
    BranchShown,
    ChangeShown,
    CheckedShown,
    ClauseShown,
    ConflictShown,
    DraftLine,
    DraftShown,
    FaultShown,
    PlaceBooks,
    PlaceShown,
    RevisionShown,
    ScheduledChangeShown,
    TargetShown,
    TitleShown,
    TrialShown,
    TriedEntry,
    TriedGroup,
    TriedRow,
    VersionLine,
    VersionShown,
)
from rules.book import Bilingual
from rules.clauses import PartClause
from rules.diff import Change
from rules.errors import Fault
from rules.json_form import to_json
from rules.text import Lang, text
from scoring.explain import Branch, sentence, tree
from scoring.explain_words import condition_words
from scoring.trial import Trial


def titled(title: Bilingual) -> TitleShown:
    """A title."""
    return TitleShown(zh=title.zh, en=title.en)


def version_line(brief: VersionBrief) -> VersionLine:
    """A version in a list."""
    return VersionLine(
        digest=brief.digest, book_id=brief.book_id, title=titled(brief.title),
        effective_from=brief.effective_from.isoformat(), since_us=brief.since_us, regime=brief.regime,
    )  # fmt: skip


def scheduled_change_shown(one: ScheduledChange) -> ScheduledChangeShown:
    """A change to come."""
    return ScheduledChangeShown(
        city=one.city, rider_kind=one.rider_kind, book_id=one.book_id, digest=one.digest, title=titled(one.title),
        effective_us=one.effective_us, effective_from=one.effective_from.isoformat(), draft_id=one.draft_id,
        restores=one.restores, notice_waived=one.notice_waived,
    )  # fmt: skip


def places_shown(places: Iterable[BookPlace]) -> list[PlaceShown]:
    """Places."""
    return [PlaceShown(city=place.city, rider_kind=place.rider_kind) for place in places]


def draft_line(draft: DraftBrief) -> DraftLine:
    """A draft in a list."""
    return DraftLine(
        draft_id=draft.draft_id, book_id=draft.book_id, title=draft.title, city=draft.city, state=draft.state,
        revision=draft.revision, content_digest=draft.content_digest, targets=places_shown(draft.places),
        rolls_back=draft.rolls_back, effective_us=draft.effective_us, author=draft.author,
        recorded_us=draft.recorded_us, changed_us=draft.changed_us,
    )  # fmt: skip


def place_books(shelf: PlaceShelf) -> PlaceBooks:
    """What there is in a place."""
    return PlaceBooks(
        city=shelf.city,
        rider_kind=shelf.rider_kind,
        in_force=None if shelf.in_force is None else version_line(shelf.in_force),
        scheduled=[scheduled_change_shown(one) for one in shelf.scheduled],
        drafts=[draft_line(draft) for draft in shelf.drafts],
        history=[version_line(brief) for brief in shelf.history],
    )


def book_line(book: BookBrief) -> BookLine:
    """A book by its id."""
    versions = [version_line(brief) for brief in book.versions]
    return BookLine(book_id=book.book_id, title=titled(book.title), versions=versions, places=places_shown(book.places))


def fault_shown(fault: Fault, pointer: str, lang: Lang) -> FaultShown:
    """A fault and its cell."""
    detail, remedy = fault.in_words(lang)
    return FaultShown(
        pointer=pointer, part=fault.part, rule=fault.rule, key=fault.key, code=fault.code, severity=fault.severity,
        given=fault.given, allowed=fault.allowed, clause=fault.clause, detail=detail, remedy=remedy,
    )  # fmt: skip


def clauses_shown(clauses: Iterable[PartClause], lang: Lang) -> list[ClauseShown]:
    """The law beside the parts."""
    return [
        ClauseShown(
            pointer=each.pointer, part=each.part, rule=each.name, clause=each.clause, number=each.number,
            title=text(lang, f"clause.{each.clause}"), law=text(lang, f"law.{each.clause}"),
        )
        for each in clauses
    ]  # fmt: skip


def changes_shown(changes: Iterable[Change], lang: Lang) -> list[ChangeShown]:
    """Differences."""
    found = []
    for change in changes:
        values = change.as_dict()
        found.append(
            ChangeShown(
                kind=change.kind,
                part=change.part,
                id=change.name,
                key=change.key,
                before=values["before"],
                after=values["after"],
                words=change.describe(lang),
            )
        )
    return found


def version_shown(version: Version, since: str | None, changes: Iterable[Change], lang: Lang) -> VersionShown:
    """A version in full."""
    return VersionShown(
        version=version_line(version.brief),
        document=to_json(version.document),
        toml=version.toml,
        extends=version.extends,
        places=places_shown(version.places),
        faults=[fault_shown(fault, version.pointer(fault), lang) for fault in version.faults],
        clauses=clauses_shown(version.clauses, lang),
        before=version.before,
        after=version.after,
        since=since,
        changes=changes_shown(changes, lang),
    )


def draft_shown(
    draft: Draft, revisions: Iterable[Revision], approvals: Iterable[Approval], needs_impact: bool, lang: Lang
) -> DraftShown:
    """A draft with its document and its history."""
    conflicts = [] if draft.detail is None else draft.detail.get("conflicts", [])
    return DraftShown(
        draft_id=draft.draft_id, book_id=draft.book_id, title=draft.title, city=draft.city, state=draft.state,
        revision=draft.revision, content_digest=draft.content_digest, base_digest=draft.base_digest,
        targets=[
            TargetShown(city=target.city, rider_kind=target.rider_kind, replaces=target.replaces)
            for target in draft.targets
        ],
        rolls_back=draft.rolls_back, effective_us=draft.effective_us, book_digest=draft.book_digest,
        conflicts=[_conflict(conflict, lang) for conflict in conflicts],
        author=draft.author, authors=list(draft.authors), document=to_json(draft.document), toml=draft.toml,
        recorded_us=draft.recorded_us, changed_us=draft.changed_us,
        revisions=[
            RevisionShown(revision=one.revision, author=one.author, action=one.action,
                          content_digest=one.content_digest, recorded_us=one.recorded_us)
            for one in revisions
        ],
        approvals=[
            ApprovalShown(revision=one.revision, content_digest=one.content_digest, decision=one.decision,
                          approver=one.approver, reason=one.reason, impact_id=one.impact_id, recorded_us=one.recorded_us)
            for one in approvals
        ],
        needs_impact=needs_impact,
    )  # fmt: skip


def _conflict(conflict: dict[str, str], lang: Lang) -> ConflictShown:
    fault = Fault(conflict["code"], "draft", key="targets", given=conflict["given"], allowed=conflict["allowed"])
    return ConflictShown(**conflict, detail=" ".join(fault.in_words(lang)))


def checked_shown(checked: Checked, lang: Lang) -> CheckedShown:
    """What is to be said of a draft."""

    def shown(faults: Iterable[Fault]) -> list[FaultShown]:
        return [fault_shown(fault, checked.pointer(fault), lang) for fault in faults]

    return CheckedShown(
        can_submit=checked.can_submit,
        num_errors=len(checked.errors),
        num_warnings=len(checked.faults) - len(checked.errors),
        num_examples=checked.num_examples,
        document=shown(checked.document),
        checks=shown(checked.checks),
        examples=shown(checked.examples),
        dates=shown(checked.dates),
        changes=changes_shown(checked.changes, lang),
        clauses=clauses_shown(checked.clauses, lang),
    )


def trial_shown(tried: Trial, lang: Lang) -> TrialShown:
    """What a draft makes of one event."""
    return TrialShown(
        kind=tried.kind,
        score_before_mp=tried.score_before_mp,
        score_after_mp=tried.score_after_mp,
        money_fen=tried.money_fen,
        facts=dict(tried.facts),
        groups=[
            TriedGroup(
                group_id=group.group_id,
                hit=group.hit,
                rows=[
                    TriedRow(
                        rule_id=row.rule_id,
                        holds=row.holds,
                        fired=row.fired,
                        conditions=[condition_words(met.condition, met.value, lang, tried.at) for met in row.met],
                    )
                    for row in group.rows
                ],
            )
            for group in tried.groups
        ],
        entries=[
            TriedEntry(
                rule_id=why.line.rule_id, kind=why.line.kind, delta_mp=why.line.delta_mp,
                score_after_mp=why.line.score_after_mp, money_fen=why.line.money_fen, sentence=sentence(why, lang),
                because=_branch(tree(why, lang)),
            )
            for why in tried.whys
        ],
    )  # fmt: skip


def _branch(branch: Branch) -> BranchShown:
    return BranchShown(text=branch.text, children=[_branch(child) for child in branch.children])
