"""A program as device under test: every way in which it may not answer, each bounded, and the next question asks it anew."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.duts import duts
from bench.reach import Means
from bench.reach.program import MOST_BYTES, Program, read_object
from conformance.case import Kind, cases
from conformance.tester import perform
from conformance.verdict import Verdict
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome

from .processes import wait_until

LIMIT_S = 60.0
FACE = """
import json, sys, time, subprocess
for line in sys.stdin:
    asked = json.loads(line)
    do = asked["do"]
    if do == "die":
        sys.exit("of old age")
    if do == "hang":
        subprocess.Popen(["sleep", "600"])
        time.sleep(600)
    if do == "noise":
        print("no JSON")
    elif do == "list":
        print("[]")
    elif do == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif do == "twice":
        print("{}\\n{}")
    elif do == "cannot":
        print(json.dumps({"error": "not today"}))
    else:
        print(json.dumps({"asked": asked}))
    sys.stdout.flush()
"""


def command(source: str) -> str:
    return shlex.join([sys.executable, "-c", source])


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program(command(FACE))
    yield made
    made.close()


def test_program_is_asked_and_answers(program: Program) -> None:
    said = program.ask("this", LIMIT_S, message="00ff")
    assert said.done and said.answer["asked"] == {"do": "this", "message": "00ff"} and said.duration_ns > 0
    refused = program.ask("cannot", LIMIT_S)
    assert (refused.outcome, refused.done, refused.why) == (Outcome.REPLIED, False, "not today")


@pytest.mark.parametrize(("do", "outcome", "why"), [
    ("die", Outcome.GONE, "of old age"), ("noise", Outcome.GARBLED, "no JSON"), ("list", Outcome.GARBLED, "[]"),
    ("flood", Outcome.GARBLED, str(MOST_BYTES)),
])
def test_program_that_does_not_answer_is_started_anew(program: Program, do: str, outcome: Outcome, why: str) -> None:
    said = program.ask(do, LIMIT_S)
    assert said.outcome is outcome and why in said.why
    assert program.ask("this", LIMIT_S).done


def test_program_that_says_more_than_it_is_asked_is_out_of_step(program: Program) -> None:
    program.ask("twice", LIMIT_S)
    assert program.ask("this", LIMIT_S).outcome is Outcome.GARBLED
    assert program.ask("this", LIMIT_S).done


@pytest.mark.parametrize(("raw", "found"), [
    (b'{"a": "\xe5\x8d\xa1"}', {"a": "卡"}), (b'{"a": "\\ud800"}', None), (b"[1]", None), (b"{", None), (b"[" * 100_000, None),
    (b"\xff", None),
])
def test_answer_is_an_object_that_can_be_written_down(raw: bytes, found: object) -> None:
    assert read_object(raw) == found


def test_program_that_hangs_is_ended_with_what_it_started(program: Program) -> None:
    assert program.ask("this", LIMIT_S).done
    began = time.monotonic()
    assert program.ask("hang", 0.2).outcome is Outcome.TIMED_OUT
    assert time.monotonic() - began < 10
    assert program.ask("this", LIMIT_S).done


@pytest.mark.parametrize("text", ["no-such-program-anywhere", 'a quote " left open'])
def test_program_that_is_none_is_told(text: str) -> None:
    with pytest.raises(LinkError, match="cannot be started"):
        Program(text).ask("this", LIMIT_S)


@pytest.mark.parametrize(("kind", "case"), [
    (Kind.WALLET, "wallet.session.first-message-opens-the-session"),
    (Kind.READER, "reader.vectors.response-is-judged[signature]"),
])
def test_program_of_another_kind_makes_no_verdict_of_the_devices(tmp_path: Path, kind: Kind, case: str) -> None:
    file = tmp_path / "face.py"
    file.write_text(FACE, encoding="utf-8")
    [dut] = duts([f"{kind.value}=program:{sys.executable} {file}"], means=Means())[kind]
    [tried] = [one for one in cases() if one.id == case]
    try:
        result = perform(tried, dut.tester, real=True)
    finally:
        dut.way.close()
    assert (dut.channel, result.verdict) == ("program", Verdict.ERROR if kind is Kind.WALLET else Verdict.FAIL)


def test_program_is_no_device_of_a_kind_without_a_way_to_it() -> None:
    with pytest.raises(UsageError, match="no sam can be tried so"):
        duts(["sam=program:true"], means=Means())


TALKATIVE = """
import pathlib, sys, time
go, said = map(pathlib.Path, sys.argv[1:])
for line in sys.stdin:
    print("{}", flush=True)
    while not go.exists():
        time.sleep(0.01)
    print('{"more": 1}', flush=True)
    said.touch()
"""


def test_what_a_program_says_after_its_answer_is_not_its_next_one(tmp_path: Path) -> None:
    go, said = tmp_path / "go", tmp_path / "said"
    program = Program(f"{command(TALKATIVE)} {go} {said}")
    try:
        assert program.ask("this", LIMIT_S).done
        go.touch()
        assert wait_until(said.exists, LIMIT_S)
        late = program.ask("this", LIMIT_S)
        assert late.outcome is Outcome.GARBLED and "more than it was asked" in late.why
    finally:
        program.close()
