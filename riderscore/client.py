"""A client of the HTTP API: the same names, JSON in and out."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2


class ProblemError(Exception):
    """The service said no: an RFC 9457 problem document.

    Parameters
    ----------
    status
        HTTP status.
    document
        The problem, with `code`, `title`, `detail` and, where fields are at fault, `errors`.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.document = dict(document)
        self.code = str(document.get("code", ""))
        super().__init__(f"{status} {self.code}: {document.get('detail') or document.get('title') or ''}")


class Client:
    """Calls a running service; use it as a context manager, or close it.

    Parameters
    ----------
    url
        Where the service is, such as `http://localhost:8000`.
    key
        An API key (`riderscore token create`), or a JWT of the issuer that the service believes.
    lang
        Language of words in answers: `en` or `zh`.
    timeout_s
        How long to wait for an answer, in seconds.
    """

    def __init__(self, url: str, key: str, *, lang: str = "en", timeout_s: float = 30.0) -> None:
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": lang}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Call any route.

        Parameters
        ----------
        method, path
            Such as `GET`, `/v1/books`.
        **options
            As httpx takes them: `params`, `json`, `headers` …

        Returns
        -------
        dict or None
            The answer; None where it has no body.

        Raises
        ------
        ProblemError
            If the service refuses.
        """
        answer = self._http.request(method, path, **options)
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            try:
                document = answer.json()
            except ValueError:
                document = {"title": answer.reason_phrase, "detail": answer.text[:200]}
            raise ProblemError(answer.status_code, document)
        return answer.json() if answer.content else None

    def post_events(
        self, events: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Post one event or a list.

        Parameters
        ----------
        events
            Fields as in the reference, "Events"; 10 000 at most.
        idempotency_key
            A post with the same key and body gets the first answer.

        Returns
        -------
        dict
            `results` has a status for each event, in order: `scored`, `accepted`, `repeated` or `rejected`.

        Raises
        ------
        ProblemError
            If the post as a whole is refused.
        """
        body = dict(events) if isinstance(events, Mapping) else {"events": [dict(event) for event in events]}
        return self._object("POST", "/v1/events", json=body, headers=_once(idempotency_key))

    def card(self, rider_id: str) -> dict[str, Any]:
        """A rider's card: score, tier and all that it affects, today, ways up and back."""
        return self._object("GET", f"/v1/riders/{_part(rider_id)}/card")

    def forecast(self, rider_id: str) -> dict[str, Any]:
        """What the rider's next order would do to the score."""
        return self._object("GET", f"/v1/riders/{_part(rider_id)}/forecast")

    def entries(self, rider_id: str, *, limit: int = 100) -> Iterator[dict[str, Any]]:
        """A rider's entries, newest first, page by page as they are read.

        Parameters
        ----------
        rider_id
            Whose.
        limit
            Entries a page.

        Yields
        ------
        dict
            One entry, with its sentence.
        """
        yield from self._pages(f"/v1/riders/{_part(rider_id)}/entries", limit)

    def entry(self, entry_id: str) -> dict[str, Any]:
        """One entry (`entry`) with all that it rests on: `rule`, `book`, and the `tree` of reasons."""
        return self._object("GET", f"/v1/entries/{_part(entry_id)}")

    def appeal(
        self,
        entry_id: str,
        *,
        reason_code: str,
        reason: str,
        evidence_ref: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """File an appeal against an entry, with a rider's key.

        Parameters
        ----------
        entry_id
            The deduction.
        reason_code
            Such as `merchant_slow`; the reference, "HTTP API", has all of them.
        reason
            In the rider's own words, at most 2 000 characters.
        evidence_ref
            Where evidence is kept.
        idempotency_key
            A repeat with the same key and words gets the first answer.

        Returns
        -------
        dict
            The appeal, with `appeal_id` and the day by which it is decided.

        Raises
        ------
        ProblemError
            If it comes too late, or there is nothing to appeal against.
        """
        body = {"reason_code": reason_code, "reason": reason, "evidence_ref": evidence_ref}
        return self._object("POST", f"/v1/entries/{_part(entry_id)}/appeal", json=body, headers=_once(idempotency_key))

    def books(self) -> dict[str, Any]:
        """The rule books, and where they are in force."""
        return self._object("GET", "/v1/books")

    def assign(self, round_: Mapping[str, Any]) -> dict[str, Any]:
        """Riders and orders in, assignments with their reasons out: `POST /v1/dispatch/rounds`."""
        return self._object("POST", "/v1/dispatch/rounds", json=dict(round_))

    def _pages(self, path: str, limit: int) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self._object("GET", path, params=params)
            yield from page["items"]
            cursor = page.get("cursor")
            if not cursor:
                return

    def _object(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.request(method, path, **options)
        return answer


def _once(idempotency_key: str | None) -> dict[str, str]:
    """The header that makes a repeat safe, where a key is given."""
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def _part(value: str) -> str:
    """A value as one part of a path."""
    return quote(value, safe="")
