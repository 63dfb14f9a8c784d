"""Days that are solved, and what was decided by some minute."""

from dispatch.horizon import SearchSettings, solve
from dispatch.mdrp_day import day_problem, day_solution
from dispatch.objective import Weights

WEIGHTS, SETTINGS = Weights(), SearchSettings()


def played(day, settings=SETTINGS):
    result = solve(day_problem(day), WEIGHTS, settings)
    return result, day_solution(day, result)


def decisions_until(solution, last_min):
    """What was decided by `last_min`: bundles and outcomes by pickup, moves by departure."""
    final = [row for row in solution.assignments if row.assigned_min <= last_min]
    moves = [row for row in solution.moves if row.departure_min <= last_min]
    outcomes = [row for row in solution.outcomes if row.pickup_min <= last_min]
    return final, moves, sorted(outcomes, key=lambda row: row.order)
