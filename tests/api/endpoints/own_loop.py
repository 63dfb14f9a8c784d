"""Coroutines in a thread of their own: beside a browser's tests this one has a loop already."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run(story: Coroutine[object, object, T]) -> T:
    """What a coroutine returns or raises."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, story).result()
