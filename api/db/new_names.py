"""New ids of the store: nobody can guess them, and ids of the same microsecond ascend in the order in which they were made.

Lists are ordered by time, then by name; without this, what happened in one microsecond would stand in an order of chance.
"""

import secrets
from itertools import count
from typing import Final

_NUMBERS: Final = count()
_MOST: Final = 16**6


def new_id(num_hex: int = 16) -> str:
    """A new name of so many hexadecimal digits: six that count in this process, the rest drawn."""
    return f"{next(_NUMBERS) % _MOST:06x}{secrets.token_hex(num_hex // 2 - 3)}"
