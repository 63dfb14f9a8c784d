"""A process that posts a file of events again and again, batch by batch, until it is killed.

`python poster.py URL EVENTS.json BOOK`: prints the number of each batch whose unit was committed.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    """Post, and say so after each commit."""
    sys.path.insert(0, str(ROOT))
    from api.db.store import Store
    from tests.api.ledger.posts import post

    url, path, book_id = sys.argv[1:]
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    batches, clock = rows["batches"], rows["clock_us"]
    store = Store(url)
    for number in range(int(rows["from"]), len(batches)):
        post(store, batches[number], book_id, clock)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
