"""A request is done by one process at a time; one that died holds its key for the lease and not a microsecond longer."""

import pytest

from api.db.idempotency import ClaimedKey, KeyedRequest, claim_key, claim_keys
from api.db.store import Store
from api.refusals import Refused
from tests.api.ledger.posts import START_US

LEASE_US = 60_000_000


@pytest.mark.parametrize(("after_us", "is_free"), [(0, False), (LEASE_US - 1, False), (LEASE_US, True)])
def test_a_key_is_free_when_its_lease_is_over(store: Store, after_us: int, is_free: bool) -> None:
    """Alone and among others; until then a repeat is told that it is being answered."""
    with store.writing(START_US) as unit:
        assert claim_key(unit, "ops:a", "one", "digest", LEASE_US) == ClaimedKey("ops:a", "one", START_US)
        claim_keys(unit, [KeyedRequest("ops:a", "many", "digest")], LEASE_US)

    with store.writing(START_US + after_us) as unit:
        (among,) = claim_keys(unit, [KeyedRequest("ops:a", "many", "digest")], LEASE_US)
        if is_free:
            alone = claim_key(unit, "ops:a", "one", "digest", LEASE_US)
            assert alone == ClaimedKey("ops:a", "one", START_US + after_us)
            assert among == ClaimedKey("ops:a", "many", START_US + after_us)
        else:
            assert isinstance(among, Refused)
            assert among.code == "idempotency_in_flight"
            with pytest.raises(Refused, match="idempotency_in_flight"):
                claim_key(unit, "ops:a", "one", "digest", LEASE_US)
