"""One killable process a medium: frames, time-outs, deaths, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.worker import FRAME_LIMIT_BYTES, Ended, Worker
from virtual_devices.errors import UsageError

from .places import ROOT
from .processes import open_files, wait_until

ECHO, RAISE, HANG, HANG_HARD, EXIT, PRINT, COUNT = range(1, 8)
CHILD = """
import ctypes, sys, time
from bench.worker import answer_calls

def fail(payload): raise ValueError(payload.decode())
def leave(payload): sys.stderr.write("the library crashed"); sys.stderr.flush(); import os; os._exit(3)
def say(payload): print("noise", flush=True); return b"said"
def hang(payload): time.sleep(60); return b""
def hang_hard(payload): ctypes.PyDLL(None).sleep(60); return b""   # as a C library that keeps the interpreter's lock
def count(payload): yield from (bytes([n]) for n in range(payload[0]))

if __name__ == "__main__":
    answer_calls(dict(enumerate([lambda payload: payload, fail, hang, hang_hard, leave, say, count], 1)))
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "worker_child.py").write_text(CHILD)
    with Worker("worker_child", env={"PYTHONPATH": str(tmp_path)}) as it:
        yield it


def gone(pid: int) -> bool:
    """No such process, or only its zombie, which is its new parent's affair."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_worker_carries_payloads_of_any_size_both_ways(worker: Worker, size: int) -> None:
    payload = os.urandom(size)
    assert worker.call(ECHO, payload).payload == payload


def test_worker_starts_with_the_first_call_only(worker: Worker) -> None:
    assert (worker.running, worker.starts) == (False, 0)
    worker.call(ECHO)
    worker.call(ECHO)
    assert (worker.running, worker.starts) == (True, 1)


def test_worker_refuses_a_payload_over_the_limit(worker: Worker) -> None:
    with pytest.raises(UsageError, match="at most"):
        worker.call(ECHO, bytes(FRAME_LIMIT_BYTES + 1))


def test_exception_in_a_handler_is_told_and_the_child_lives(worker: Worker) -> None:
    reply = worker.call(RAISE, b"bad reader")
    assert (reply.ended, reply.text) == (Ended.FAILED, "ValueError: bad reader")
    assert worker.call(ECHO, b"on").payload == b"on"
    assert worker.starts == 1


@pytest.mark.parametrize("op", [HANG, HANG_HARD])
def test_hung_child_is_killed_in_time_and_restarted_by_the_next_call(worker: Worker, op: int) -> None:
    worker.call(ECHO)
    pid = worker.pid
    began = time.monotonic()
    assert worker.call(op, timeout_s=0.2).ended is Ended.TIMED_OUT
    assert 0.2 <= time.monotonic() - began < 30.0  # it would have hung for a minute
    assert pid is not None and gone(pid) and not worker.running
    assert worker.call(ECHO, b"again").payload == b"again"
    assert worker.starts == 2


def test_hung_child_that_reads_nothing_is_killed_too(worker: Worker) -> None:
    worker.post(HANG)
    assert worker.call(ECHO, bytes(1_000_000), timeout_s=0.3).ended is Ended.TIMED_OUT


def test_child_that_ends_is_told_with_its_last_words(worker: Worker) -> None:
    reply = worker.call(EXIT)
    assert (reply.ended, reply.text) == (Ended.DIED, "the library crashed")
    assert worker.call(ECHO, b"again").payload == b"again"


def test_child_killed_from_outside_is_told(worker: Worker) -> None:
    worker.call(ECHO)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    reply = worker.call(ECHO)
    assert reply.ended is Ended.DIED and "-9" in reply.text


def test_module_that_does_not_exist_is_told() -> None:
    with Worker("no_such_module") as it:
        reply = it.call(ECHO)
    assert reply.ended is Ended.DIED and "no_such_module" in reply.text


def test_print_in_the_child_does_not_break_the_frames(worker: Worker) -> None:
    assert worker.call(PRINT).payload == b"said"
    assert worker.call(ECHO, b"x").payload == b"x"


def test_interrupt_from_the_keyboard_leaves_the_child_alone(worker: Worker) -> None:
    worker.call(ECHO)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGINT)
    assert worker.call(ECHO, b"on").payload == b"on"
    assert worker.starts == 1


def test_several_answers_to_one_request_are_collected_in_order(worker: Worker) -> None:
    worker.post(COUNT, bytes([50]))
    assert [worker.collect(60.0).payload[0] for _ in range(50)] == list(range(50))
    assert not worker.buffered


def test_collect_without_a_request_is_an_answer_not_a_hang(worker: Worker) -> None:
    assert worker.collect(60.0).ended is Ended.DIED


def test_calls_from_several_threads_take_turns(worker: Worker) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(50):
            if worker.call(ECHO, bytes([number])).payload != bytes([number]):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_worker_started_by_a_thread_outlives_it(worker: Worker) -> None:
    thread = threading.Thread(target=worker.call, args=(ECHO,))
    thread.start()
    thread.join()
    assert worker.call(ECHO, b"x").payload == b"x"
    assert worker.starts == 1


def test_worker_leaves_no_process_and_no_descriptor(worker: Worker) -> None:
    before = open_files()
    pids = []
    for op in (ECHO, HANG, EXIT, ECHO):
        worker.call(op, timeout_s=0.3)
        pids.append(worker.pid)
        worker.close()
    assert open_files() == before
    assert all(pid is None or gone(pid) for pid in pids)


@pytest.mark.parametrize("op", [ECHO, HANG, HANG_HARD])
def test_child_dies_with_a_parent_that_is_killed(tmp_path: Path, op: int) -> None:
    (tmp_path / "worker_child.py").write_text(CHILD)
    script = (
        "import sys; from bench.worker import Worker\n"
        f"w = Worker('worker_child'); w.call({ECHO}); w.post({op}); print(w.pid, flush=True); sys.stdin.read()"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    assert wait_until(lambda: gone(pid))


LOOPING = """
import asyncio, pathlib
from bench.worker_loop import answer_in_loop

async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)

async def later(path):
    await turns(20)
    path.touch()

async def begin(payload):
    await turns(3)
    tasks.append(asyncio.ensure_future(later(pathlib.Path(payload.decode()))))
    return b""

tasks = []
if __name__ == "__main__":
    asyncio.run(answer_in_loop({1: begin}))
"""


def test_event_loop_of_a_worker_goes_on_between_two_requests(tmp_path: Path) -> None:
    """What it is told of a request twice over, while that is answered, is no further request to wait for."""
    (tmp_path / "looping_child.py").write_text(LOOPING)
    with Worker("looping_child", env={"PYTHONPATH": str(tmp_path)}) as it:
        for name in ("one", "two", "three"):
            assert it.call(1, str(tmp_path / name).encode(), 60.0).ended is Ended.ANSWERED
            assert wait_until((tmp_path / name).exists, 10.0), name
