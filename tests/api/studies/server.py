"""A server that does nothing but long work, until it is killed: `python server.py URL`."""

import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    """Work, and look again."""
    sys.path.insert(0, str(ROOT))
    from api.clock import now_us
    from api.db.store import Store
    from api.endpoints.common.logs import make_log
    from api.studies.worker import Worker

    worker = Worker(Store(sys.argv[1]), now_us, make_log("error"))
    pause = threading.Event()
    while True:
        if not worker.step():
            pause.wait(0.05)


if __name__ == "__main__":
    main()
