"""Identities: two names in two roles are two things, and many small names do not collide."""

from itertools import product

import numpy as np
import pyarrow as pa

from scoring.hashing import fold_in, hash_pairs, hash_strings


def test_the_order_of_what_is_hashed_matters() -> None:
    """Rider a with event b is not rider b with event a, and equal names do not cancel."""
    a, b = hash_strings(pa.array(["a", "b"]))

    assert fold_in(a, b) != fold_in(b, a)
    assert fold_in(a, a) != fold_in(b, b)


def test_small_names_in_all_combinations_are_all_different() -> None:
    """Riders 1…200 with events 1…200 give 40 000 identities."""
    names = hash_strings(pa.array([str(number) for number in range(200)]))

    found = {int(fold_in(rider, event)) for rider, event in product(names, names)}

    assert len(found) == 40_000


def test_the_two_hashes_of_a_string_know_nothing_of_each_other() -> None:
    """The second lane is not a function of the first's bits."""
    pairs = hash_pairs(pa.array([f"event-{number}" for number in range(4_096)]))

    agree = np.array([int(x ^ y).bit_count() for x, y in pairs])

    assert 31.0 < agree.mean() < 33.0


def test_a_missing_string_hashes_to_nothing_and_no_other_does() -> None:
    """Null gives 0; the empty string does not."""
    null, empty = hash_strings(pa.array([None, ""], pa.string()))

    assert null == 0
    assert empty != 0
