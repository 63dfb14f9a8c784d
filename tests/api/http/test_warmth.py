"""Warming up reaches everything that is compiled on first use."""

from api.http.warmth import warm
from scoring import kernel, ledger, liability, score
from scoring.hashing import write_ids


def test_what_posts_need_is_compiled() -> None:
    """After it the kernel, liability, the comparison with what stands and the entry ids have a compiled form."""
    warm()

    needed = (kernel._fold, liability._attribute, score._compare, ledger._id_words, write_ids)
    assert [function.__name__ for function in needed if not function.signatures] == []
