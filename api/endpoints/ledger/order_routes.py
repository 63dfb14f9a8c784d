"""Orders that two riders delivered: for people who look into it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from api.access.requester import need_cities
from api.endpoints.common.auth import require
from api.endpoints.common.schemas import LIMIT_DEFAULT, City, Cursor, Limit, ListPage, Model
from api.ledger.shared_orders import shared_page
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/shared-orders", tags=["dashboard"])
Reader = Annotated[Actor, Depends(require("orders:read"))]


class OrderDeliveryShown(Model):
    """A stored delivery."""

    rider_id: str = Field(examples=["r7"])
    event_id: str = Field(examples=["e1"])
    city: str = Field(description="Where the event says it was.", examples=["hangzhou"])


class SharedOrderShown(Model):
    """An order that two riders delivered. Both deliveries were scored; nothing is taken back by itself."""

    order_id: str = Field(examples=["o1"])
    first: OrderDeliveryShown | None = Field(description="Stored first; null where that rider is of another city.")
    later: OrderDeliveryShown | None = Field(description="Stored later; null where that rider is of another city.")
    recorded_us: int = Field(description="When the later one was stored.")


class SharedOrderList(ListPage):
    """Shared orders, newest first; an order of three riders stands twice."""

    items: tuple[SharedOrderShown, ...]


@router.get("")
def list_shared_orders(
    actor: Reader, service: ServiceDep, city: City | None = None, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
) -> SharedOrderList:
    """Orders that two riders delivered, one of whom at least is of the key's cities now."""
    if city is not None:
        need_cities(actor, {city})
    with service.reading() as unit:
        page = shared_page(unit, actor, city, cursor, limit)
    return SharedOrderList.of(page)
