"""Pages speak one language at a time, in words: no codes of programs, no signs of files, nothing half translated."""

import re
from html import unescape

import pytest

from api.books import drafts
from api.books.deployment import seed_shipped
from api.db.store import Store
from api.endpoints.books.columns import PARTS
from api.endpoints.books.editor import line_of
from rules.errors import Fault
from rules.events import KINDS, PARTIES, REPORT_KINDS, RIDER_KINDS
from rules.shelf import versions
from rules.text import LANGS, Lang
from tests.api.books.worlds import ANN
from tests.api.endpoints.conftest import Clock
from tests.api.endpoints.pages.conftest import SignIn
from tests.api.ledger.posts import START_US, later, post
from tests.builders import delivered, event
from tests.rules.fault_codes import fault_codes

CODES = frozenset({*KINDS, *PARTIES, *REPORT_KINDS, *RIDER_KINDS, "ours", "true", "false", "remaining", "gross"})
# Names that stand as they are in both languages, and the switch to the other language.
# Values that some messages need beside the common ones.
EVERY = tuple((name, "1") for name in (
    "date", "first", "kind", "platform", "fault", "hint", "place", "remedy", "rider",
    "near", "line", "other", "num", "decimals", "most", "title", "award", "announced", "earliest", "reason", "part",
))  # fmt: skip
# Faults of files and folders, which no page can meet.
OF_FILES = frozenset(
    code
    for code in fault_codes()
    if re.match(r"toml_|not_utf8|byte_order|empty_file|not_found|is_directory|unreadable|no_versions|name_not|mixed_ids"
                r"|unknown_book|bad_reference|unknown_parent|extends_cycle|remove_|bad_change|unknown_part|too_large"
                r"|deployed_|legacy_deployed|more_faults", code)
)  # fmt: skip
CHINESE = re.compile(r"[\u3400-\u9fff]+")
SWITCH = "中文"
# Bodies that a shipped book names as consulted.
NAMES = frozenset({"工会", "骑手代表"})


@pytest.fixture
def clock() -> Clock:
    """Every shipped version is in force."""
    return Clock(START_US)


def shown(html: str) -> str:
    """What a person reads of a page: no tags, scripts, ids, sources and typed text."""
    # The tables of a draft on paper hold the texts of the book in both languages, as its fields do.
    html = re.sub(r'<div class="paper-tables">.*?</div>', " ", html, flags=re.DOTALL)
    for part in ("script", "style", "textarea", "code", "svg", "cite"):
        html = re.sub(rf"<{part}\b.*?</{part}>", " ", html, flags=re.DOTALL)
    html = re.sub(r'<(\w+)[^>]*class="[^"]*\bcode\b[^"]*"[^>]*>.*?</\1>', " ", html, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", html))


def strange(words: str, lang: Lang) -> set[str]:
    """Codes on a Chinese page, Chinese on an English one."""
    if lang == "en":
        return set(CHINESE.findall(words)) - {SWITCH, *NAMES}
    return {code for code in CODES if re.search(rf"(?<![\w@.-]){code}(?![\w@.-])", words)}


@pytest.fixture
def shelf(store: Store) -> None:
    """All shipped books in the database."""
    with store.writing(START_US) as unit:
        seed_shipped(unit)


@pytest.mark.slow
@pytest.mark.usefixtures("shelf")
def test_every_page_speaks_one_language(store: Store, sign_in: SignIn) -> None:
    """Books, drafts with all their tables, the city, inboxes and the rider's own pages: words of the page's language."""
    with store.writing(START_US) as unit:
        base = versions("gbt-46862-reference")[0].digest
        draft = drafts.draft_from_version(unit, ANN, base).draft_id
    own = {"city": "hangzhou"}
    rows = [delivered(f"e{k}", at_min=k * 60, late_min=k * 4, **own) for k in range(4)]
    post(store, later([*rows, event("complaint", "c1", at_min=300, **own)]), "gbt-46862-reference")
    paths = {
        "rider": ["/rider", "/rider/entries"],
        "ops": [
            "/console", "/console/appeals", "/console/reviews", "/console/books", "/console/drafts",
            *(f"/console/books/{book}" for book in ("gbt-46862-reference", "meituan-anzhun", "legacy-fine")),
            *(f"/console/drafts/{draft}?part={part}" for part in PARTS),
        ],
        "approver": ["/console/approvals", f"/console/approvals/{draft}", "/console/audit"],
        "policy": ["/console/studies"],
    }  # fmt: skip

    found = {}
    for role, some in paths.items():
        client = sign_in(role, {"rider": "r1", "ops": "ann"}.get(role, ""))
        for path in some:
            for lang in LANGS:
                answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}")
                assert answer.status_code == 200, path
                if wrong := strange(shown(answer.text), lang):
                    found[path, lang] = wrong

    assert sorted(f"{path} {lang} {sorted(wrong)}" for (path, lang), wrong in found.items()) == []


@pytest.mark.case
@pytest.mark.parametrize(
    ("fault", "zh", "en"),
    [
        (
            Fault("not_one_of", "x", key="reports[1]", given='"商家慢"', allowed="merchant_slow, merchant_closed"),
            "报备没有“商家慢”这一项；可选：出餐慢、商家闭店。",
            'there is no "商家慢" for reports; choose one of: merchant slow, merchant closed.',
        ),
        (
            Fault("expected_whole", "x", key="bonus_fen", given='"50"'),
            "“50”不是整数；请填整数，如 50。",
            '"50" is not a whole number; write a whole number, such as 50.',
        ),
        (
            Fault("out_of_range", "x", key="bonus_fen", given="-50", allowed=">= 0"),
            "每单奖励（元）（-0.50） 超出范围；允许的范围：>= 0.00。",
            "bonus per order (yuan) (-0.50) is out of range; allowed: >= 0.00.",
        ),
        (
            Fault("base_moved", "x", key="targets", given="own@2026-01-01", allowed="hangzhou/crowdsourced"),
            "杭州 · 众包 届时生效的版本已变为 own@2026-01-01，不是起草时的那一版；请与新版本对照，改以它为基础，再提交。",
            (
                "in Hangzhou · crowdsourced the version in force by then is own@2026-01-01, not the one that this draft "
                "started from; compare it with that version, start from it, and submit again."
            ),
        ),
        (
            Fault("no_example", "x", rule="late"),
            "没有例子；请在“例子”页加一个例子。",
            'there is no example; add one on the sheet "Examples".',
        ),
    ],
)
def test_a_fault_on_a_page_names_fields_and_choices_as_the_page_does(fault: Fault, zh: str, en: str) -> None:
    """What is filled in on a page is told without quotes, brackets and codes of a file."""
    assert line_of(fault, "zh") == zh
    assert line_of(fault, "en") == en


@pytest.mark.parametrize("lang", LANGS)
def test_no_fault_on_a_page_speaks_as_a_file(lang: Lang) -> None:
    """None of the faults of a book brings the signs of TOML to a page."""
    told = {
        code: line_of(Fault(code, "x", "late", "rule.late.reports", '"x"', "merchant_slow", params=EVERY), lang)
        for code in sorted(fault_codes() - OF_FILES)
    }

    assert {
        code: words for code, words in told.items() if re.search(r"\[\[|\w = |merchant_slow|=true|\[score\]", words)
    } == {}
