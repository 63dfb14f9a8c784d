"""Runs of a study on all cores: worker processes, each run on its own, in any order, with the same result.

Workers are started afresh (`spawn`), so that nothing of the parent's threads or compiled state leaks into them; every run
writes its own file and hands nothing back.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.process import BaseProcess

from api.batch.study_worlds import Task, carry_out, is_done

# Runs handed out beyond those being worked on, so that a stop need not wait for a long queue.
_AHEAD = 1


def run_tasks(tasks: Iterable[Task], jobs: int, one_done: Callable[[], None]) -> None:
    """Do the runs that are not done yet.

    Parameters
    ----------
    jobs
        Processes; with one, the runs are done in this process.
    one_done
        Called after every run, those found done included; what it raises ends the work, finished runs stay.
    """
    waiting: deque[Task] = deque()
    for one in {each.path: each for each in tasks}.values():
        if is_done(one.path):
            one_done()
        else:
            waiting.append(one)
    if jobs == 1 or len(waiting) <= 1:
        for one in waiting:
            carry_out(one)
            one_done()
        return
    _in_processes(waiting, min(jobs, len(waiting)), one_done)


def _end_with_parent() -> None:
    """In a worker: end when the parent does, however it ends; a pool's workers would wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent,), daemon=True).start()


def _wait_for(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _in_processes(waiting: deque[Task], jobs: int, one_done: Callable[[], None]) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent) as pool:
        under_way: set[Future[None]] = set()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < jobs + _AHEAD:
                    under_way.add(pool.submit(carry_out, waiting.popleft()))
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    one_done()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
