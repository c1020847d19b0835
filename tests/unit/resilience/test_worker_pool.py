"""Background work on a bounded number of daemon threads, which a forked process starts anew."""

import os
import threading

from badge.resilience.worker_pool import WorkerPool
from tests.doubles import without_threads
from tests.servers import eventually


def test_jobs_are_done_on_daemon_threads() -> None:
    pool, done = WorkerPool("test", 2, 10), threading.Event()
    seen: list[threading.Thread] = []

    def job() -> None:
        seen.append(threading.current_thread())
        done.set()

    assert pool.submit(job)
    assert done.wait(5)
    assert seen[0].daemon
    assert seen[0] is not threading.current_thread()


def test_the_end_of_all_jobs_can_be_awaited() -> None:
    pool, go, done = WorkerPool("test", 1, 2), threading.Event(), list[int]()
    assert pool.wait(0)

    def job() -> None:
        assert go.wait(5)
        done.append(1)

    assert pool.submit(job)
    assert pool.submit(job)
    assert not pool.wait(0.01)
    waiting = threading.Thread(target=pool.wait, args=(60,))
    waiting.start()
    go.set()
    waiting.join(5)
    assert not waiting.is_alive()
    assert done == [1, 1]


def test_running_and_queued_jobs_are_limited() -> None:
    pool, go = WorkerPool("test", 2, 3), threading.Event()
    running: list[int] = []

    def job() -> None:
        running.append(1)
        go.wait(5)

    taken = [pool.submit(job)]
    assert eventually(lambda: len(running) == 1)
    taken += [pool.submit(job)]
    assert eventually(lambda: len(running) == 2)
    taken += [pool.submit(job) for _ in range(4)]
    assert taken == [True, True, True, True, True, False]
    assert pool.is_full
    assert len(running) == 2
    go.set()
    assert eventually(lambda: len(running) == 5)
    assert not pool.is_full


def test_threads_are_reused() -> None:
    pool, names = WorkerPool("test-again", 8, 10), set()
    for _ in range(20):
        done = threading.Event()

        def job(done: threading.Event = done) -> None:
            names.add(threading.get_ident())
            done.set()

        assert pool.submit(job)
        assert done.wait(5)
        assert eventually(lambda: pool._workers.get().unfinished == 0)
    assert len(names) == 1


def test_if_no_thread_can_be_started_a_job_is_refused_and_a_later_one_runs() -> None:
    pool, done = WorkerPool("test", 2, 10), threading.Event()
    with without_threads():
        assert not pool.submit(done.set)
    assert not done.is_set()
    assert pool.submit(done.set)
    assert done.wait(5)


def test_if_no_second_thread_can_be_started_a_job_waits_for_the_first() -> None:
    pool, go, done = WorkerPool("test", 2, 10), threading.Event(), threading.Event()

    def wait() -> None:
        go.wait(5)

    assert pool.submit(wait)
    with without_threads():
        assert pool.submit(done.set)
    go.set()
    assert done.wait(5)


def report_done(writing: int) -> None:
    os.write(writing, b"done")


def test_a_forked_process_has_its_own_threads() -> None:
    pool, done = WorkerPool("test", 1, 10), threading.Event()
    pool.submit(done.set)
    assert done.wait(5)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        pool.submit(lambda: report_done(writing))
        threading.Event().wait(2)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read(4) == b"done"
    os.waitpid(pid, 0)
