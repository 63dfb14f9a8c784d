"""Numbers on the command line: whole or finite, within a range that is said, refused before any work."""

import math
from typing import Any, Final

import click

# Seeds and counts are kept as 64 bits with a sign.
LARGEST: Final = 2**63 - 1
SEED: Final = click.IntRange(0, LARGEST)
SECONDS_MAX: Final = 10**9
JOBS_MAX: Final = 4_096
SEEDS_MAX: Final = 100_000
DAYS_MAX: Final = 3_660


class Finite(click.FloatRange):
    """A finite number within a range; `nan` is none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a usage error."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{found} is not in the range {self._describe_range()}.", param, ctx)
        return found


SECONDS: Final = Finite(min=0, max=SECONDS_MAX)
SHARE: Final = Finite(min=0, max=1, min_open=True, max_open=True)
