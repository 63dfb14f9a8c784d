"""The peer: a bare async FastAPI route that reads one indexed row with the raw driver, and nothing else.

`uvicorn tests.benchmarks.http.bare:app`, the database in `BARE_DATABASE_URL`.
"""

import os
import sqlite3
from typing import Any

import asyncpg
from fastapi import FastAPI

URL = os.environ["BARE_DATABASE_URL"]
COLUMNS = "rider_id, city, score_mp, seq, due_us"
app = FastAPI()

if URL.startswith("sqlite"):
    connection = sqlite3.connect(URL.removeprefix("sqlite:///"), isolation_level=None)

    @app.get("/riders/{rider_id}")
    async def rider(rider_id: str) -> dict[str, Any]:
        """One row by the key, on the loop."""
        row = connection.execute(f"SELECT {COLUMNS} FROM rider_state WHERE rider_id = ?", (rider_id,)).fetchone()
        return dict(zip(COLUMNS.split(", "), row, strict=True))

else:
    pools: list[asyncpg.Pool] = []

    @app.get("/riders/{rider_id}")
    async def rider(rider_id: str) -> dict[str, Any]:
        """One row by the key, from a pool of eight."""
        if not pools:
            pools.append(await asyncpg.create_pool(URL, min_size=8, max_size=8))
        row = await pools[0].fetchrow(f"SELECT {COLUMNS} FROM rider_state WHERE rider_id = $1", rider_id)
        return dict(row)
