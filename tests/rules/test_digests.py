"""Digests of books: entries name them and ids of entries are made of them, so they stay for ever."""

import pytest

from rules.parse import parse
from rules.shelf import deployable, shipped, to_toml

DIGESTS = {
    ("gbt-46862-reference", "2026-01-01"): "bdb8e91f3b16b35c2ca4d9bdca09f4fe29a8b60fd5f80db0e1aad1324a00868c",
    ("gbt-46862-reference", "2026-12-15"): "a467d37f1eccecd0d3f19152d202a480862e4572c405c86405c2f833594ae369",
    ("jd-service-score", "2025-10-01"): "cc46cd20277b62efb43e46c8e552625f083b78374dd1145dba87070d9a2968a9",
    ("legacy-fine", "2020-01-01"): "690c574d0172217c7b2bdbe1dc269230b52ffc3217725714b698fdf59a50c15e",
    ("meituan-anzhun", "2024-12-01"): "318c93ea1e4bab9b829bd7b3b307d7a3a47e11849d4c1b417ba7070162942165",
    ("taobao-crowdsourced", "2025-10-01"): "aba60977ed3fa66a5a512719d25d84b2bd5e71fbc2b286b9b1149b12ae0371e3",
    ("taobao-crowdsourced", "2025-12-03"): "3d0ad55a0bdaebf09b19a91b515342d52baf5e21ef19a639ffb8f7369441911a",
    ("taobao-dedicated", "2025-12-03"): "f3f7556de88eb5b4be79b3f13adada3706d44ed337fcf3ac9bfb939ec9d22e6b",
}
VERSIONS = [
    pytest.param(book, id=f"{book.id}@{book.model.effective_from}") for id_ in shipped() for book in deployable(id_)
]


def test_shipped_versions_keep_their_digests() -> None:
    """A version that has judged riders is never edited, nor read into another document."""
    found = {(book.id, str(book.model.effective_from)): book.digest for id_ in shipped() for book in deployable(id_)}

    assert found == DIGESTS


@pytest.mark.parametrize("book", VERSIONS)
def test_a_version_written_in_full_keeps_its_digest(book) -> None:
    """As the store holds it: with all that it extends merged in."""
    assert parse(to_toml(book), book.file).digest == book.digest
