"""Faults in people's data, as values. All are reported at once; none stops the reading.

A fault says where (file, rule, key), what was given, what is allowed, and what to do. Its words come from the
catalogs (`fault.<code>`, `remedy.<code>`), its place and values from here.
"""

from dataclasses import dataclass, field
from typing import Literal

from rules.text import Lang, in_language, text

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one document.

    Parameters
    ----------
    code
        Stable name, such as `unknown_key`; also the catalog key of its words.
    file
        The document's path or id.
    rule
        Id of the rule, tier, cap … the fault is in; empty for the document itself.
    key
        Dotted key inside it.
    given
        The value found, as the person wrote it.
    allowed
        What may stand there, language-free (a list of names, a range); may be empty.
    clause
        Clause of GB/T 46862-2025 or another source, where one is broken.
    severity
        An error stands in the way of the book, a warning does not.
    params
        Further values of the message; one that starts with `@` is itself a catalog key, worded with those before it.
    part
        What `rule` names: a rule, tier, cap, group, report, or a row of the deployment table.
    """

    code: str
    file: str
    rule: str = ""
    key: str = ""
    given: str = ""
    allowed: str = ""
    clause: str = ""
    severity: Severity = "error"
    params: tuple[tuple[str, str], ...] = field(default=())
    part: str = "rule"

    def describe(self, lang: Lang) -> str:
        """One line: place, what is wrong with which value, and the remedy."""
        place = self.file
        if self.rule:
            part = text(lang, f"fault.place_{self.part}", rule=self.rule)
            place = text(lang, "fault.place", file=self.file, part=part)
        fault, remedy = self.in_words(lang)
        return text(lang, "fault.line", place=place, fault=fault, remedy=remedy)

    def in_words(self, lang: Lang) -> tuple[str, str]:
        """What is wrong with which value, and the remedy, for who sees the place anyway."""
        values = {
            "rule": self.rule,
            "key": self.key,
            "given": self.given,
            "allowed": self.allowed,
            "clause": self.clause,
        }
        for name, value in self.params:
            if value.startswith("@"):
                values[name] = text(lang, value[1:], **values)
            else:
                values[name] = in_language(value, lang) if name == "title" else value
        return text(lang, f"fault.{self.code}", **values), text(lang, f"remedy.{self.code}", **values)


class RuleError(Exception):
    """The family of errors of rule books."""


class BookError(RuleError):
    """A rule book that cannot be used; carries every fault found.

    Parameters
    ----------
    faults
        All of them, in the order of the document.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(fault.describe("en") for fault in faults))
