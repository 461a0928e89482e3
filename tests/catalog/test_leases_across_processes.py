"""Several processes at once, and one that is killed."""

import multiprocessing
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import utc_now
from sovereign_rag.catalog.records import TaskState, document_id
from sovereign_rag.settings import Settings
from tests.catalog.conftest import new_task

SPAWN = multiprocessing.get_context("spawn")
WAIT_S = 120


def drain(settings: Settings, worker: str, marks: Path, to_parent: Connection) -> None:
    """Do tasks until there are none; each holds its document's mark while it is done."""
    done: list[int] = []
    with Catalog.open(settings) as catalog:
        while task := catalog.leases.acquire(worker, lease_s=60):
            mark = marks / document_id(task.tenant, task.uri)
            mark.touch(exist_ok=False)  # fails where another process holds the document
            catalog.leases.renew(task.id, worker, 60)
            mark.unlink()
            assert catalog.leases.finish(task.id, worker, TaskState.INDEXED)
            done.append(task.id)
    to_parent.send(done)


def test_processes_share_the_tasks_without_losing_or_doubling_any(
    settings: Settings, tmp_path: Path
) -> None:
    with Catalog.open(settings) as catalog:
        # Every document stands in both jobs, so most leases compete for one.
        uris = [f"file:///{number}" for number in range(20)]
        jobs = [
            catalog.jobs.create("default", "owner", [new_task(uri) for uri in uris])
            for _ in range(2)
        ]
        marks = tmp_path / "marks"
        marks.mkdir()
        pipes = [SPAWN.Pipe(duplex=False) for _ in range(3)]
        processes = [
            SPAWN.Process(target=drain, args=(settings, f"w{number}", marks, send))
            for number, (_, send) in enumerate(pipes)
        ]

        for process, (_, send) in zip(processes, pipes, strict=True):
            process.start()
            send.close()
        # A worker may find nothing while the others hold the last documents, so the last one
        # standing does the rest: together they do it all.
        done = [receive.recv() for receive, _ in pipes if receive.poll(WAIT_S)]
        for process in processes:
            process.join(WAIT_S)

        assert [process.exitcode for process in processes] == [0, 0, 0]
        tasks = [task for job in jobs for task in catalog.jobs.tasks(job.id, "default")]
        assert sorted(id_ for ids in done for id_ in ids) == sorted(task.id for task in tasks)
        assert {(task.state, task.attempts) for task in tasks} == {(TaskState.INDEXED, 1)}
        assert all(catalog.jobs.get(job.id, "default").finished for job in jobs)


def hold(settings: Settings, to_parent: Connection) -> None:
    """Lease a task, say so, and keep it."""
    catalog = Catalog.open(settings)
    task = catalog.leases.acquire("held", lease_s=60)
    assert task is not None
    catalog.leases.advance(task.id, "held", TaskState.EMBEDDING)
    to_parent.send(task.id)
    SPAWN.Event().wait()


def test_what_a_killed_process_held_is_taken_over(settings: Settings) -> None:
    moment = utc_now()
    with Catalog.open(settings, clock=lambda: moment) as catalog:
        job = catalog.jobs.create("default", "owner", [new_task("file:///a")])
        receive, send = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=hold, args=(settings, send))
        process.start()
        send.close()
        assert receive.poll(WAIT_S)
        held = receive.recv()

        process.kill()
        process.join(WAIT_S)
        while_leased = catalog.leases.acquire("w1", lease_s=60)
        moment = utc_now() + timedelta(seconds=61)
        taken_over = catalog.leases.acquire("w1", lease_s=60)

        assert while_leased is None
        assert taken_over is not None
        assert (taken_over.id, taken_over.attempts) == (held, 2)
        assert taken_over.state is TaskState.PARSING
        assert catalog.leases.finish(held, "w1", TaskState.INDEXED)
        assert catalog.jobs.get(job.id, "default").finished
