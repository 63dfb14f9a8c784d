"""Reports the progress of work, writing to the database at most as often as people can read."""

from typing import Final

from api.clock import elapsed_ns, now_us
from api.db.store import Store
from api.studies.leases import advance

_EVERY_NS: Final = 400_000_000


class Progress:
    """Tells the store how far one claim is.

    Raises `api.studies.leases.LostError` where the claim is lost; the work then ends at once.
    """

    def __init__(self, store: Store, study_id: str, owner: str) -> None:
        self._store = store
        self._of = (study_id, owner)
        self._told: tuple[int, str] = (0, "")
        self._at_ns = 0

    def tell(self, permille: int, stage: str) -> None:
        """Say it, unless the same stage was told a moment ago; the way never goes back."""
        permille = max(self._told[0], min(permille, 999))
        soon = elapsed_ns() - self._at_ns < _EVERY_NS
        if (permille, stage) == self._told or (soon and stage == self._told[1]):
            return
        with self._store.writing(now_us()) as unit:
            advance(unit, *self._of, permille, stage)
        self._told, self._at_ns = (permille, stage), elapsed_ns()
