"""Events in: one or a batch, scored in one transaction, an answer for each."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["events"])
