"""Forms that create something: sending one a second time creates nothing and shows the first result."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Final

from starlette.datastructures import FormData

from api.db.idempotency import StoredAnswer, claim_key, delete_answer, store_answer
from api.db.unit_of_work import WriteUnit
from api.endpoints.common.pages import Visit
from api.endpoints.common.typed_input import FORM_FIELD, ONCE_FIELD, texts_of
from rules.units import US_PER_S

_RANDOM: Final = re.compile(r"[0-9a-f]{16,64}")
_AT_ONCE_US: Final = 60 * US_PER_S


def submit_once(visit: Visit, form: FormData, make: Callable[[WriteUnit], str]) -> str:
    """Do what a form asks for, unless it has been done.

    Parameters
    ----------
    make
        Does it, and gives the path of the page to show then.

    Returns
    -------
    str
        That path; where the same person sent the same form before, the path of that time.
    """
    fields = texts_of(form)
    # Changed and sent again it is another form.
    content = json.dumps([visit.request.url.path, [pair for pair in fields if pair[0] != FORM_FIELD]])
    digest = hashlib.sha256(content.encode()).hexdigest()
    lease_us = visit.service.settings.idempotency_lease_s * US_PER_S
    with visit.service.writing() as unit:
        key = f"form {digest}"
        if not _RANDOM.fullmatch(dict(fields).get(ONCE_FIELD, "")):
            # Nothing tells this form from a later one with the same words, but that it comes at once.
            delete_answer(unit, visit.who.name, key, unit.recorded_us - _AT_ONCE_US)
        taken = claim_key(unit, visit.who.name, key, digest, lease_us)
        if isinstance(taken, StoredAnswer):
            return taken.headers["location"]
        path = make(unit)
        store_answer(unit, taken, StoredAnswer(303, {"location": path}, b""))
        return path
