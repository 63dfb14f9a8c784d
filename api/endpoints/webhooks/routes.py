"""Webhooks by the Standard Webhooks convention: where a platform wants to hear of changes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api.access.new_ids import need_valid_cities
from api.access.requester import need_cities
from api.db.outbox import Kind
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.endpoints.common.auth import require
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, IdText, Limit, ListPage, Model
from api.endpoints.common.threads import ThreadedRoute
from api.refusals import Refused
from api.service import Actor, ServiceDep
from api.webhooks import subscriptions
from api.webhooks.subscriptions import Webhook

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=ThreadedRoute)
Owner = Annotated[Actor, Depends(require("webhooks:write"))]
City = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
MessageKind = Literal[
    "score.changed", "tier.changed", "review.needed", "appeal.decided", "rider.erased", "book.scheduled", "book.suspended"
]  # fmt: skip


class WebhookAsked(Model):
    """A webhook to be made: its address, its kinds of message and its cities."""

    url: str = Field(
        min_length=1, max_length=2_000, pattern=r"^[!-~]+$", examples=["https://platform.example/hooks/scores"]
    )
    kinds: list[MessageKind] = Field(
        default=[], max_length=20, description="Empty for all.", examples=[["tier.changed"]]
    )
    cities: list[City] = Field(default=[], max_length=500, description="Empty for all that the token may see.")


class WebhookShown(Model):
    """A webhook without its secret."""

    webhook_id: str
    url: str
    kinds: tuple[MessageKind, ...]
    cities: tuple[str, ...]
    created_by: str
    created_us: int = Field(validation_alias="recorded_us")
    failing_us: int | None = Field(description="Since when nothing got through.")
    disabled_us: int | None = Field(description="When it was switched off; `enable` tries again.")
    disabled_why: Literal["failing", "gone", "full"] | None


class WebhookMade(Model):
    """A new webhook with its secret, which is shown this once."""

    webhook: WebhookShown
    secret: str = Field(examples=["whsec_…"])


class WebhookList(Model):
    """All webhooks."""

    items: tuple[WebhookShown, ...]


class SecretMade(Model):
    """A new secret, shown this once; the one before signs too for 24 hours."""

    secret: str = Field(examples=["whsec_…"])


class PingSent(Model):
    """The number of the test message: find it among the deliveries."""

    outbox_id: int


class WebhookDeliveryShown(Model):
    """A message on its way to a webhook."""

    outbox_id: int
    kind: Kind = Field(description="The kind of the message.", examples=["tier.changed"])
    state: Literal["waiting", "delivered", "given_up"]
    num_attempts: int
    next_us: int = Field(description="When the next attempt is due, while it waits.")
    last_status: int | None
    last_error: str | None
    created_us: int = Field(validation_alias="recorded_us")
    delivered_us: int | None


class DeliveryList(ListPage):
    """Deliveries, newest first."""

    items: tuple[WebhookDeliveryShown, ...]


@router.post("", operation_id="register_webhook", status_code=201)
def register(body: WebhookAsked, actor: Owner, service: ServiceDep, response: Response) -> WebhookMade:
    """Tell this address from now on. Messages are signed with the secret (headers webhook-id, -timestamp, -signature)."""
    need_cities(actor, body.cities)
    with service.writing() as unit:
        need_valid_cities(unit, actor, body.cities, "cities")
        made, secret = subscriptions.register(
            unit, actor.name, body.url, body.kinds, body.cities or actor.cities,
            allow_private=service.settings.webhooks_private,
        )  # fmt: skip
    response.headers["Location"] = f"/v1/webhooks/{made.webhook_id}"
    return WebhookMade(webhook=WebhookShown.of(made), secret=secret)


@router.get("")
def list_webhooks(actor: Owner, service: ServiceDep) -> WebhookList:
    """A platform's own; for ops all of their cities."""
    with service.reading() as unit:
        webhooks = subscriptions.webhooks_of(unit, _only(actor), actor.cities)
    return WebhookList(items=tuple(map(WebhookShown.of, webhooks)))


@router.get("/{webhook_id}")
def get_webhook(webhook_id: IdText, actor: Owner, service: ServiceDep) -> WebhookShown:
    """One of them."""
    with service.reading() as unit:
        return WebhookShown.of(_own(unit, webhook_id, actor))


@router.delete("/{webhook_id}", operation_id="remove_webhook", status_code=204)
def remove(webhook_id: IdText, actor: Owner, service: ServiceDep) -> None:
    """Tell this address nothing more."""
    with service.writing() as unit:
        _own(unit, webhook_id, actor)
        subscriptions.remove(unit, actor.name, webhook_id)


@router.post("/{webhook_id}/ping", operation_id="ping_webhook", status_code=202)
def ping(webhook_id: IdText, actor: Owner, service: ServiceDep) -> PingSent:
    """Send a test message."""
    with service.writing() as unit:
        _own(unit, webhook_id, actor)
        return PingSent(outbox_id=subscriptions.ping(unit, webhook_id))


@router.post("/{webhook_id}/rotate", operation_id="rotate_webhook_secret")
def rotate(webhook_id: IdText, actor: Owner, service: ServiceDep) -> SecretMade:
    """A new secret; the one before signs too for 24 hours."""
    with service.writing() as unit:
        _own(unit, webhook_id, actor)
        return SecretMade(secret=subscriptions.rotate(unit, actor.name, webhook_id))


@router.post("/{webhook_id}/enable", operation_id="enable_webhook")
def enable(webhook_id: IdText, actor: Owner, service: ServiceDep) -> WebhookShown:
    """Try again after it was switched off."""
    with service.writing() as unit:
        _own(unit, webhook_id, actor)
        return WebhookShown.of(subscriptions.enable(unit, actor.name, webhook_id))


@router.get("/{webhook_id}/deliveries", operation_id="list_webhook_deliveries")
def list_deliveries(
    webhook_id: IdText, actor: Owner, service: ServiceDep, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
) -> DeliveryList:
    """What was sent or is to be, newest first."""
    with service.reading() as unit:
        _own(unit, webhook_id, actor)
        page = subscriptions.deliveries_of(unit, webhook_id, cursor, limit)
    return DeliveryList.of(page)


def _only(actor: Actor) -> str | None:
    """Platforms have their own webhooks alone."""
    return None if actor.role == "ops" else actor.name


def _own(unit: ReadUnit | WriteUnit, webhook_id: str, actor: Actor) -> Webhook:
    webhook = subscriptions.webhook_of(unit, webhook_id, _only(actor))
    if actor.cities and not (webhook.cities and set(webhook.cities) <= set(actor.cities)):
        raise Refused("webhook_unknown", webhook_id=webhook_id)
    return webhook
