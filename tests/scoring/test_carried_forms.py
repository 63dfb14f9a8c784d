"""A carried state as tables, in bytes, in pieces or in another program's positions is the same state: the next run writes the same lines."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from rules.book import Book
from rules.compile import Program, compile_books
from scoring.carried_bytes import StoredRider, carried_from_bytes, readable_riders, rider_bytes
from scoring.carried_tables import carried_of, tables_of
from scoring.carry import Carried, carried_riders, joined
from scoring.layout import StateLayout, layout_of, read_layout, renumbered
from scoring.ledger import entries_table
from scoring.prepare import Schedule
from scoring.score import ScoredRun
from tests.builders import DAY_US, book_of, delivered, tiny_book
from tests.scoring.readings import Engine, engine
from tests.strategies import books, two_parts

Form = Callable[[Carried, Program], Carried]
OTHER = book_of(tiny_book(id="other-city"))


def as_tables(carried: Carried, program: Program) -> Carried:
    """Through the tables that files hold."""
    layout = layout_of(program)
    read, own = carried_of(
        tables_of(carried, layout), layout.books, layout.slots, layout.counted, carried.until_us, carried.keep_us,
        carried.faded.to_pylist(),
    )  # fmt: skip
    return renumbered(read, own, layout)


def stored_riders(carried: Carried, layout: StateLayout) -> list[StoredRider]:
    """Riders as a database holds them."""
    return [
        StoredRider(*who, layout, content)
        for *who, content in zip(
            carried.riders.to_pylist(), carried.city.to_pylist(), carried.rider_kind.tolist(),
            carried.score_mp.tolist(), carried.seq.tolist(), rider_bytes(carried),
            strict=True,
        )
    ]  # fmt: skip


def as_bytes(carried: Carried, program: Program) -> Carried:
    """Through the bytes that a database holds, every second rider in the layout of another program."""
    other = compile_books([OTHER, *program.books])
    layouts = layout_of(program), layout_of(other)
    rows = [stored_riders(renumbered(carried, layouts[0], layout), layout) for layout in layouts]
    mixed = [rows[k % 2][k] for k in range(len(rows[0]))]
    assert readable_riders(mixed, other) == mixed
    return replace(carried_from_bytes(mixed, other, carried.until_us), keep_us=carried.keep_us)


def in_pieces(carried: Carried, _: Program) -> Carried:
    """Cut into riders, the last one first, and put together again."""
    pieces = [carried_riders(carried, np.array([k])) for k in range(len(carried.riders))][::-1]
    both = joined(pieces)
    return carried_riders(both, np.arange(len(carried.riders))[::-1])


def with_more_books(engine: Engine) -> Engine:
    """The same books judge; before them in the program stands one that does not."""
    rules = {key: tuple((us, at + 1) for us, at in rows) for key, rows in engine.schedule.rules.items()}
    return Engine(compile_books([OTHER, *engine.program.books]), Schedule(rules, engine.schedule.reach_back))


def lines_of(scored: ScoredRun) -> list[dict[str, Any]]:
    """The ledger of a run."""
    return entries_table(scored, 0).to_pylist()


@pytest.mark.parametrize("form", [as_tables, in_pieces])
@settings(max_examples=settings().max_examples // 2)
@given(versions=books(), parts=two_parts())
def test_each_form_goes_on_alike(form: Form, versions: list[Book], parts: tuple[list[Any], list[Any]]) -> None:
    """Whatever the books, riders, corrections and fades that wait."""
    runner = engine(versions)
    carried = runner.run(parts[0]).carried

    again = runner.run(parts[1], form(carried, runner.program))

    assert lines_of(again) == lines_of(runner.run(parts[1], carried))


@settings(max_examples=settings().max_examples // 2)
@given(versions=books(), parts=two_parts())
def test_riders_of_two_layouts_go_on_alike(versions: list[Book], parts: tuple[list[Any], list[Any]]) -> None:
    """Bytes written under a program with fewer books, beside those of one with more."""
    runner = engine(versions)
    carried = runner.run(parts[0]).carried
    larger = with_more_books(runner)

    again = larger.run(parts[1], as_bytes(carried, runner.program))

    assert lines_of(again) == lines_of(runner.run(parts[1], carried))


@settings(max_examples=settings().max_examples // 4)
@given(versions=books(), parts=two_parts())
def test_renumbering_there_and_back_is_nothing(versions: list[Book], parts: tuple[Any, Any]) -> None:
    """Books in another order: what comes back is what went, to the last value."""
    runner = with_more_books(engine(versions))
    carried = runner.run([*parts[0], *parts[1]]).carried
    old = layout_of(runner.program)
    new = layout_of(compile_books([*versions[::-1], OTHER]))

    back = renumbered(renumbered(carried, old, new), new, old)

    assert back.window.equals(carried.window)
    assert np.array_equal(back.written, carried.written)
    for values, expected in zip(back.base, carried.base, strict=True):
        assert np.array_equal(values, expected)


def test_a_layout_reads_back_as_it_was_stored() -> None:
    """By its document; one whose records look different is of another build."""
    layout = layout_of(compile_books([OTHER]))
    document = layout.document()

    assert read_layout(json.dumps(document)) == layout
    assert read_layout(json.dumps(document | {"format": 2})) is None


def test_a_program_without_a_book_of_the_state_is_refused() -> None:
    """Its positions would mean another book's."""
    runner = engine([OTHER])
    carried = runner.run([delivered()]).carried
    lacking = layout_of(compile_books([book_of(tiny_book())]))

    with pytest.raises(ValueError, match="not in the program"):
        renumbered(carried, layout_of(runner.program), lacking)


@pytest.mark.parametrize("cut", [0, 1, 35, 36, 200, -1])
def test_bytes_that_are_not_whole_are_not_read(cut: int) -> None:
    """A rider whose bytes end early, or whose counts say more than there is."""
    runner = engine([OTHER])
    layout = layout_of(runner.program)
    rider = stored_riders(runner.run([delivered(), delivered("e2", at_min=DAY_US // 60_000_000)]).carried, layout)[0]

    torn = rider._replace(content=rider.content[:cut])

    assert readable_riders([torn, rider], runner.program) == [rider]
