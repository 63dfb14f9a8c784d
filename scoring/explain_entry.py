"""Words for people: one sentence for an entry, and the because-tree told, in Chinese and English.

All words come from the catalogs, titles of rules and tiers from the book itself. Nothing is computed here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rules.book import BookDocument, Rule
from rules.events import REPORT_CAUSE
from rules.text import Lang, text
from rules.units import points_text, shown_change, shown_points, signed_points_text, yuan_text
from scoring.because import Because, EntryLine, RuleEvaluation, UndoneEntry
from scoring.explain_facts import Lateness, TimeGivenBack, Wait
from scoring.explain_words import (
    clock,
    condition_words,
    effects,
    in_day,
    moved_words,
    orders_words,
    rule_words,
    signed_tenths,
    signed_yuan,
    span_words,
    titled,
)


@dataclass(frozen=True, slots=True)
class Branch:
    """One statement and what it rests on."""

    text: str
    children: tuple["Branch", ...] = ()


@dataclass(frozen=True, slots=True)
class _Whole:
    """What one event did in all, from all entries that it wrote at one time.

    Parameters
    ----------
    first_mp, last_mp
        The score before and after the event.
    rules_mp, money_fen
        What its rules moved, before any limit.
    limits_mp
        What caps, protections, floor and ceiling moved after that.
    lines
        The entries of rules, in order; the first tells the event.
    """

    first_mp: int
    last_mp: int
    rules_mp: int
    money_fen: int
    limits_mp: int
    bonus_fen: int
    lines: tuple[EntryLine, ...]


def _whole(why: Because) -> _Whole:
    rules = tuple(line for line in why.steps if _is_of_rule(line))
    limits = (line for line in why.steps if line.of_kind in ("cap", "clamp"))
    tiers = (line for line in why.steps if line.rule_id.startswith("tier:"))
    return _Whole(
        first_mp=why.steps[0].score_before_mp,
        last_mp=why.steps[-1].score_after_mp,
        rules_mp=sum(line.delta_mp for line in rules),
        money_fen=sum(line.money_fen for line in rules),
        limits_mp=sum(line.delta_mp for line in limits),
        bonus_fen=sum(line.money_fen for line in tiers),
        lines=rules,
    )


def _is_of_rule(line: EntryLine) -> bool:
    return line.of_kind in ("award", "deduct") and not line.rule_id.startswith("tier:")


def sentence(why: Because, lang: Lang) -> str:
    """One sentence that the rider concerned would understand.

    The first entry that a rule wrote for an event tells the whole event: all that it moved, limits and bonus included.
    """
    line = why.line
    if line.kind == "reverse":
        return text(lang, f"say.reverse_{_cause(why)}", **_words(why, lang))
    plain = _event_sentence(why, lang) if _is_of_rule(line) else _plain_sentence(why, lang)
    if line.kind == "reenter" and not _is_waived(line):
        return text(lang, f"say.reenter_{_cause(why)}", sentence=plain, **_words(why, lang))
    return plain


def _event_sentence(why: Because, lang: Lang) -> str:
    whole, words = _whole(why), _words(why, lang)
    if why.line != whole.lines[0]:
        return text(lang, "say.part", own=_own_part(why.line, lang), **words)
    event_words = text(lang, f"say.{_rule_key(why, whole)}", **words)
    moving = [line for line in whole.lines if line.delta_mp or line.money_fen]
    if len(moving) > 1:
        parts = [f"{rule_words(line.rule_id, why.book, lang)} {_own_part(line, lang)}" for line in moving]
        event_words = text(lang, "say.made_up", sentence=event_words, parts=text(lang, "say.comma").join(parts))
    event_words = _in_all(event_words, whole, lang)
    if whole.bonus_fen:
        event_words = text(lang, "say.with_bonus", sentence=event_words, money=yuan_text(whole.bonus_fen))
    return event_words


def _own_part(line: EntryLine, lang: Lang) -> str:
    """Points and money of one entry, with signs."""
    points = signed_tenths(shown_change(line.score_before_mp, line.score_after_mp), line.delta_mp)
    parts = [points] if line.delta_mp or not line.money_fen else []
    parts += [text(lang, "say.yuan", money=signed_yuan(line.money_fen))] if line.money_fen else []
    return text(lang, "say.and").join(parts)


def _in_all(plain: str, whole: _Whole, lang: Lang) -> str:
    """Points that limits or protections took back in part must not read as if they stood in full."""
    if not whole.limits_mp:
        return plain
    net_mp = whole.last_mp - whole.first_mp
    if net_mp < 0:
        key = "say.in_all"
    elif net_mp > 0:
        key = "say.in_all_award"
    else:
        key = "say.in_all_no_award" if whole.rules_mp > 0 else "say.in_all_nothing"
    net = moved_words(lang, whole.first_mp, whole.last_mp)
    first, last = shown_points(whole.first_mp), shown_points(whole.last_mp)
    return text(lang, key, sentence=plain, net=net, first=first, last=last)


def _is_waived(line: EntryLine) -> bool:
    return line.of_kind == "deduct" and line.delta_mp == 0 and line.money_fen == 0


def _cause(why: Because) -> str:
    kind = None if why.undone is None else why.undone.cause_kind
    return kind if kind in ("correction", "appeal_upheld") else "late" if kind else "unknown"


def _plain_sentence(why: Because, lang: Lang) -> str:
    words = _words(why, lang)
    if why.tier is not None:
        return text(lang, "say.review" if why.line.of_kind == "review" else "say.bonus", **words)
    key = why.line.rule_id if why.line.of_kind in ("fade", "reset", "training", "clamp") else _cap_key(why)
    if why.line.of_kind == "training" and why.line.delta_mp == 0:
        key = "training_idle"
    elif why.line.of_kind == "training" and why.book.model.fading is not None:
        key = "training_ahead"
    return text(lang, f"say.{key}", **words)


def _cap_key(why: Because) -> str:
    if why.line.rule_id in ("newcomer", "cost_limit"):
        return why.line.rule_id
    return "cap_back" if why.line.delta_mp >= 0 else "cap_over"


def _is_delivery(why: Because) -> bool:
    kinds = () if why.rule is None else why.rule.rule.kind
    return why.event_kind == "delivered" if why.event_kind else tuple(kinds) == ("delivered",)


def _rule_key(why: Because, whole: _Whole) -> str:
    """Which sentence suits what the rules of a book made of an event."""
    line, points_mp = why.line, whole.rules_mp
    if any(_is_waived(each) for each in whole.lines) and points_mp >= 0 and whole.money_fen >= 0:
        return "waived" if points_mp == 0 else "waived_gain"
    if not _is_delivery(why):
        return "other_fine" if whole.money_fen < 0 else "other_gain" if points_mp > 0 else (
            "other_loss" if points_mp < 0 else "other_nothing"
        )  # fmt: skip
    gross = why.book.model.lateness == "gross"
    if whole.money_fen < 0:
        return "fine" if points_mp == 0 else "fine_and_loss" if points_mp < 0 else "fine_and_gain"
    if line.late_s == 0:
        return "on_time" if points_mp > 0 else "on_time_nothing" if points_mp == 0 else "delivery_loss"
    is_theirs = line.liable_party == "rider" or gross
    if points_mp < 0:
        if not is_theirs:
            return "not_yours_loss"
        if gross or line.time_given_back_s == 0:
            return "late"
        # Without its facts the ledger says how much was given back, not why.
        return "late_partly" if why.lateness is not None else "late_partly_unnamed"
    if _is_kitchen_unknown(why):
        return "unknown_kitchen" if points_mp > 0 else "unknown_kitchen_nothing"
    if is_theirs:
        return "late_gain" if points_mp > 0 else "late_nothing"
    return "not_yours" if points_mp > 0 else "not_yours_nothing"


def _is_kitchen_unknown(why: Because) -> bool:
    """Whether an order is exempt because nobody knows what the kitchen did; without its facts, as the ledger has it."""
    if why.lateness is not None:
        return why.lateness.kitchen == "exempt" and why.book.model.lateness == "remaining"
    line, model = why.line, why.book.model
    is_left = line.late_s > line.time_given_back_s
    return model.unknown_kitchen == "exempt" and is_left and line.liable_party == "nobody"


def _order(why: Because, lang: Lang) -> str:
    key = "say.order" if why.order_id else "say.record"
    return text(lang, key, id=why.order_id or why.line.event_id)


def _words(why: Because, lang: Lang) -> dict[str, object]:
    """Everything that a sentence may name; each uses what it needs."""
    line, model = why.line, why.book.model
    limits, fading = model.score, model.fading
    before_mp, after_mp, money_fen = _moved(why)
    return {
        "order": _order(why, lang),
        "title": _titles(why, lang) if why.tier is None else titled(lang, why.tier.title),
        "points": moved_words(lang, before_mp, after_mp),
        "money": yuan_text(abs(money_fen)),
        "before": shown_points(before_mp),
        "after": shown_points(after_mp),
        "late": span_words(lang, line.late_s),
        "given": span_words(lang, line.time_given_back_s),
        "remaining": span_words(lang, line.late_s - line.time_given_back_s),
        "causes": _causes(why, lang),
        "days": 0 if fading is None else fading.after_days,
        "orders": "" if model.cost_limit is None else orders_words(lang, model.cost_limit.on_time_orders),
        "floor": points_text(limits.floor_mp),
        "ceiling": points_text(limits.ceiling_mp),
        "base": points_text(limits.base_mp),
    }


def _moved(why: Because) -> tuple[int, int, int]:
    """Scores between which a sentence tells the change, and its money: of all rules of an event, else of the entry."""
    line = why.line
    if not _is_of_rule(line):
        return line.score_before_mp, line.score_after_mp, line.money_fen
    whole = _whole(why)
    if line.kind == "reverse":
        return whole.first_mp, whole.last_mp, whole.money_fen
    return whole.first_mp, whole.first_mp + whole.rules_mp, whole.money_fen


def sentence_change(why: Because) -> str:
    """The change that a sentence tells, with a sign: of the whole event, or of the entry alone."""
    line = why.line
    first_mp, last_mp = line.score_before_mp, line.score_after_mp
    if _is_of_rule(line) and line == _whole(why).lines[0]:
        first_mp, last_mp = why.steps[0].score_before_mp, why.steps[-1].score_after_mp
    return signed_tenths(shown_change(first_mp, last_mp), last_mp - first_mp)


def _titles(why: Because, lang: Lang) -> str:
    """What moved something, by the book's titles: for the entry that tells an event all of its rules."""
    line = why.line
    if line.of_kind not in ("award", "deduct", "cap", "review"):
        return ""
    lines = [line]
    if _is_of_rule(line):
        event_lines = _whole(why).lines
        moving = [each for each in event_lines if each.delta_mp or each.money_fen]
        lines = moving or [line] if line == event_lines[0] else [line]
    return text(lang, "say.and").join(dict.fromkeys(rule_words(each.rule_id, why.book, lang) for each in lines))


def _causes(why: Because, lang: Lang) -> str:
    """Names of what gave time back or exempts, for a sentence."""
    if why.lateness is not None:
        names = [f"cause.{share.cause}" for share in why.lateness.given_back]
        names += [f"cause.{REPORT_CAUSE[report]}" for report in why.lateness.exempt_by]
        if names:
            words = dict.fromkeys(text(lang, name) for name in names)
            return text(lang, "say.and").join(words)
    return text(lang, f"party.{why.line.liable_party}")


def tree(why: Because, lang: Lang) -> Branch:
    """The because-tree told: the sentence, and under it what it rests on."""
    return _tree(why, lang, _source)


def riders_tree(why: Because, lang: Lang) -> Branch:
    """The same for the rider concerned, without where each number was found."""
    return _tree(why, lang, _basis)


def _basis(rule: Rule, lang: Lang) -> Iterator[Branch]:
    yield Branch(text(lang, "tree.basis"))
    yield from _note(rule, lang)


def _tree(why: Because, lang: Lang, source: Callable[[Rule, Lang], Iterator[Branch]]) -> Branch:
    parts: list[Branch] = [_about(why, lang)]
    if why.undone is not None:
        parts.append(_undone(why, why.undone, lang))
    if why.lateness is not None:
        parts.append(_lateness(why.lateness, why, lang))
    elif why.line.late_s:
        parts.append(_bare_lateness(why, lang))
    if why.agrees is False:
        parts.append(Branch(text(lang, "tree.disagrees")))
    if why.rule is not None:
        parts.append(_rule(why.rule, why, lang, source))
    if why.tier is not None:
        parts.append(
            Branch(text(lang, "tree.tier", title=titled(lang, why.tier.title), effects=effects(why.tier, lang)))
        )
    parts.append(_steps(why, lang))
    if why.later:
        parts.append(Branch(text(lang, "tree.later"), tuple(Branch(_step(line, why, lang)) for line in why.later)))
    return Branch(sentence(why, lang), tuple(parts))


def _about(why: Because, lang: Lang) -> Branch:
    line, model = why.line, why.book.model
    children = [
        Branch(text(lang, "tree.event", event=line.event_id, kind=_kind(why, lang), order=why.order_id or "—")),
        Branch(text(lang, "tree.time", at=clock(line.occurred_us, model), zone=model.time_zone)),
        Branch(
            text(
                lang,
                "tree.book",
                title=titled(lang, model.title),
                id=model.id,
                date=model.effective_from.isoformat(),
                digest=why.book.digest[:12],
            )
        ),
        Branch(text(lang, "tree.liable", party=text(lang, f"word.{line.liable_party}"))),
    ]
    return Branch(text(lang, "tree.entry", seq=line.seq, id=line.entry_id), tuple(children))


def _kind(why: Because, lang: Lang) -> str:
    return text(lang, f"word.{why.event_kind}") if why.event_kind else "—"


def _undone(why: Because, undone: UndoneEntry, lang: Lang) -> Branch:
    event = undone.cause_event_id or "—"
    head = text(lang, f"tree.cause_{_cause(why)}", event=event)
    if undone.line is None:
        return Branch(head, (Branch(text(lang, "tree.undone_elsewhere")),) if why.line.kind == "reverse" else ())
    return Branch(head, (Branch(text(lang, "tree.undone", step=_step(undone.line, why, lang))),))


def _lateness(late: Lateness, why: Because, lang: Lang) -> Branch:
    model = why.book.model
    if late.deadline_us is None:
        return Branch(text(lang, "tree.no_deadline"))
    measured = text(
        lang,
        "tree.deadline",
        deadline=clock(late.deadline_us, model, "%m-%d %H:%M:%S"),
        delivered=clock(late.delivered_us, model, "%m-%d %H:%M:%S"),
    )
    if late.late_s == 0:
        return Branch(text(lang, "tree.on_time"), (Branch(measured),))
    children = [Branch(measured)]
    children += [_given(share, model, lang) for share in late.given_back]
    children += [Branch(text(lang, "tree.exempt", report=text(lang, f"word.{report}"))) for report in late.exempt_by]
    if late.kitchen is not None:
        children.append(Branch(text(lang, f"tree.kitchen_{late.kitchen}")))
    if late.given_back:
        children.append(Branch(text(lang, "tree.given_back", given=span_words(lang, late.given_back_s))))
    if model.lateness == "gross":
        children.append(Branch(text(lang, "tree.gross")))
    else:
        shape = "_none" if late.remaining_s == 0 else "_exempt" if late.exempt_by or late.kitchen == "exempt" else ""
        children.append(Branch(text(lang, f"tree.remaining{shape}", remaining=span_words(lang, late.remaining_s))))
    return Branch(text(lang, "tree.late", late=span_words(lang, late.late_s)), tuple(children))


def _bare_lateness(why: Because, lang: Lang) -> Branch:
    words = _words(why, lang)
    return Branch(text(lang, "tree.bare", late=words["late"], given=words["given"], remaining=words["remaining"]))


def _given(share: TimeGivenBack, model: BookDocument, lang: Lang) -> Branch:
    head = text(
        lang,
        f"tree.by_{share.by}",
        cause=text(lang, f"cause.{share.cause}"),
        span=span_words(lang, share.seconds),
        party=text(lang, f"word.{share.party}"),
    )
    return Branch(head, tuple(Branch(_wait(wait, model, lang)) for wait in share.waits))


def _wait(wait: Wait, model: BookDocument, lang: Lang) -> str:
    sentence = text(
        lang,
        "tree.own_wait" if wait.own else "tree.other_wait",
        order=wait.order_id or wait.event_id,
        start=clock(wait.from_us, model, "%H:%M:%S"),
        end=clock(wait.to_us, model, "%H:%M:%S"),
        span=span_words(lang, -(-wait.gained_us // 1_000_000)),
    )
    notes = [] if wait.since == "arrived" else [text(lang, f"tree.since_{wait.since}")]
    notes += [] if wait.ends_ready else [text(lang, "tree.to_pickup")]
    return (
        text(lang, "tree.wait_noted", wait=sentence, note=text(lang, "tree.notes").join(notes)) if notes else sentence
    )


def _rule(read: RuleEvaluation, why: Because, lang: Lang, source: Callable[[Rule, Lang], Iterator[Branch]]) -> Branch:
    rule, at = read.rule, (why.line.at_us, why.book.model)
    children = [Branch(condition_words(met.condition, met.value, lang, at)) for met in read.met]
    if read.points_mp is not None:
        children.append(Branch(text(lang, "tree.rule_gives", points=signed_points_text(read.points_mp))))
    if read.money_fen:
        children.append(Branch(text(lang, "tree.rule_money", money=signed_yuan(read.money_fen))))
    children += source(rule, lang)
    key = "tree.rule" if source is _source else "tree.rule_titled"
    return Branch(text(lang, key, id=rule.id, title=titled(lang, rule.title)), tuple(children))


def _source(rule: Rule, lang: Lang) -> Iterator[Branch]:
    if rule.source is not None:
        confidence = text(lang, f"confidence.{rule.confidence or 'none'}")
        # "ours" is no source of its own: it is told once, by the confidence.
        key = "tree.source_alone" if rule.source == rule.confidence == "ours" else "tree.source"
        yield Branch(text(lang, key, source=rule.source, confidence=confidence))
    yield from _note(rule, lang)


def _note(rule: Rule, lang: Lang) -> Iterator[Branch]:
    if rule.note is not None:
        yield Branch(text(lang, "tree.note", note=titled(lang, rule.note)))


def _steps(why: Because, lang: Lang) -> Branch:
    """All entries of the event, so that caps, limits and the clamp stand beside the rule."""
    first, last = why.steps[0], why.steps[-1]
    head = text(lang, "tree.score", before=points_text(first.score_before_mp), after=points_text(last.score_after_mp))
    return Branch(head, tuple(Branch(_step(line, why, lang)) for line in why.steps))


def _limit(line: EntryLine, why: Because, lang: Lang) -> str:
    """What a step is called; a limit of the day names the day's end."""
    words = rule_words(line.rule_id, why.book, lang)
    of_day = line.of_kind == "cap" and any(cap.id == line.rule_id and cap.scope == "day" for cap in why.book.model.cap)
    return in_day(words, line.at_us, why.book.model, lang) if of_day else words


def _step(line: EntryLine, why: Because, lang: Lang) -> str:
    money = text(lang, "tree.step_money", money=signed_yuan(line.money_fen)) if line.money_fen else ""
    return text(
        lang,
        "tree.step",
        seq=line.seq,
        kind=text(lang, f"entry.{line.kind}"),
        rule=_limit(line, why, lang),
        points=signed_points_text(line.delta_mp),
        money=money,
        before=points_text(line.score_before_mp),
        after=points_text(line.score_after_mp),
    )
