"""Everything that must hold in a world, in sentences: what studies check in every run, and all of the ledger's checks."""

from collections.abc import Iterator

from scoring.invariant_columns import Ledger
from scoring.invariants import CHECKS, OF_FILES, check_ledger
from simulations.study.conservation import broken
from simulations.world import World


def violations(world: World, fastest_s_per_km: int, capacity: int) -> list[str]:
    """Everything that does not hold."""
    found = broken(world, fastest_s_per_km, capacity)
    return [*(sentence for each in found.values() for sentence in each), *ledger_holds(world)]


def ledger_holds(world: World) -> Iterator[str]:
    """The ledger passes every check of `verify` that does not concern files."""
    books = {book.digest: book for book in (*world.plan.warm_up, *world.plan.book)}
    ledger = Ledger(world.entries, world.riders, books, {}, 0)
    for found in check_ledger(
        ledger, [check for check in CHECKS if check not in OF_FILES or check.__name__ in ("sums", "standing")]
    ):
        if not found.holds:
            yield f"{found.check}: {found.num_violations}, {found.violations[:1]}"
