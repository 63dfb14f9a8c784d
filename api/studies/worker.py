"""Takes up long work, one of a kind at a time, each in a process of its own that can be killed.

The process does the work and writes what comes of it; this side holds the lease, and ends the process when the work is
cancelled, lost to another server, or the service stops. If this side is killed, the process sees its input end and
goes too; the lease runs out, and whoever is there goes on.
"""

import os
import secrets
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from typing import Any, Final

from api.child_process import end, start
from api.clock import elapsed_ns
from api.db.store import Store
from api.studies.jobs import Kind
from api.studies.leases import LEASE_US, StudyLease, has_free_work, is_held, lease_next_study, release, renew

_LOOK_S: Final = 0.25
_RENEW_NS: Final = LEASE_US * 1_000 // 3


class Worker:
    """The long work of one server process.

    Parameters
    ----------
    clock
        The store's clock (µs UTC).
    log
        Hears what begins, and how it ends.
    kind
        What it takes up; None for any. A worker for each kind lets no kind wait behind another.
    """

    def __init__(self, store: Store, clock: Callable[[], int], log: Any, kind: Kind | None = None) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._kind = kind
        self._stopping = threading.Event()

    def ask_to_stop(self) -> None:
        """End the process that works; its work is given back."""
        self._stopping.set()

    def step(self) -> bool:
        """Do the work whose turn it is, to its end; False if there is none."""
        with self._store.reading() as unit:
            if self._stopping.is_set() or not has_free_work(unit, self._clock(), self._kind):
                return False
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
        with self._store.writing(self._clock()) as unit:
            held = lease_next_study(unit, owner, self._kind)
        if held is None:
            return False
        self._log.info("work.began", study_id=held.study.study_id, kind=held.study.kind)
        with tempfile.TemporaryDirectory(prefix="riderscore-work-", ignore_cleanup_errors=True) as folder:
            process = self._begin(held, folder)
            try:
                self._watch(process, held)
            finally:
                end(process)
        return True

    def _begin(self, held: StudyLease, folder: str) -> subprocess.Popen[bytes]:
        """The process that does the work."""
        order = {
            "url": self._store.url,
            "study_id": held.study.study_id,
            "owner": held.owner,
            "folder": folder,
        }
        return start("api.studies.job_process", order)

    def _watch(self, process: subprocess.Popen[bytes], held: StudyLease) -> None:
        """Until the process has ended, or must."""
        study_id, owner = held.study.study_id, held.owner
        renewed_ns = elapsed_ns()
        while process.poll() is None:
            if self._stopping.wait(_LOOK_S):
                end(process)
                with self._store.writing(self._clock()) as unit:
                    release(unit, study_id, owner, is_blameless=True)
                return
            with self._store.reading() as unit:
                if not is_held(unit, study_id, owner):
                    self._log.info("work.lost", study_id=study_id)
                    return
            if elapsed_ns() - renewed_ns > _RENEW_NS:
                with self._store.writing(self._clock()) as unit:
                    renew(unit, study_id, owner)
                renewed_ns = elapsed_ns()
        if process.returncode:
            self._log.warning("work.died", study_id=study_id, returncode=process.returncode)
            with self._store.writing(self._clock()) as unit:
                release(unit, study_id, owner, is_blameless=False)
