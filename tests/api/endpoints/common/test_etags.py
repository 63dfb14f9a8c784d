"""Tags name a revision: one that a proxy has marked on its way means the same."""

import pytest

from api.endpoints.common.etags import etag_of, is_unchanged, need_match
from api.endpoints.common.problems import Problem

SAME = ['"7"', 'W/"7"', '"7-gzip"', '"7-br"', '"7--gzip"', '"7;gzip"', 'W/"7-zstd"', '"6", W/"7"', "*", ' "7" ']
OTHER = ['"8"', 'W/"8"', '"8-gzip"', '"7-x"', '"7gzip"', "7", '"gzip"', '""']
# Longer than any tag of ours: nobody looks through them for what a proxy may have put there.
OTHER += ['"7' + "-gzip" * 50 + '"', '"' + "-" * 60_000 + '"']


@pytest.mark.case
@pytest.mark.parametrize("sent", SAME)
def test_a_tag_that_was_marked_on_its_way_is_known(sent: str) -> None:
    """Whoever sends back what a packing proxy gave them changes what they have read, and need not read it again."""
    need_match(sent, etag_of(7))

    assert is_unchanged(sent, etag_of(7))


@pytest.mark.parametrize("sent", OTHER)
def test_another_revision_is_another_one(sent: str) -> None:
    """Nothing else is let through."""
    with pytest.raises(Problem):
        need_match(sent, etag_of(7))

    assert not is_unchanged(sent, etag_of(7))
