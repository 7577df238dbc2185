"""Readers of bytes and machines with a memory, fed with spoilt messages: nothing but refusals. A sample from a fixed seed;
``./bench.sh fuzz`` runs a million inputs a target."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import cbor2
import pytest

from virtual_devices import cbor

from . import fuzz
from .fuzz_spoil import framed, spoil, spoil_cbor, spoil_framed, unframed
from .fuzz_targets import Target, refusing

SAMPLE = {"signature-envelope": 60, "phone": 60, "desk": 60, "holder": 150, "upload": 100}
TARGETS = fuzz.targets()


@pytest.mark.sample
@pytest.mark.parametrize("name", TARGETS)
def test_target_raises_nothing_but_its_refusal(name: str) -> None:
    fuzz.mutate(name, TARGETS[name], SAMPLE.get(name, 400), seed=0)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_of_a_target_are_taken_and_fit(name: str) -> None:
    good = TARGETS[name].seeds()
    assert good and len(set(good)) == len(good)
    rng = Random(1)
    spoilt = [TARGETS[name].spoil(rng, raw) for raw in good * 8]
    assert sum(a != b for a, b in zip(spoilt, good * 8, strict=True)) > len(spoilt) // 2


def test_target_that_falls_over_is_told_with_its_input() -> None:
    def falls(raw: bytes) -> None:
        if len(raw) == 3:
            raise IndexError("no fourth byte")

    target = Target("falls", lambda: [b"\x01\x02\x03\x04"], falls)
    with pytest.raises(AssertionError, match=r"falls, [0-9a-f]{6}: IndexError: no fourth byte"):
        fuzz.mutate("falls", target, 500, seed=0)


def test_refusal_of_another_module_is_a_fault() -> None:
    run = refusing(cbor.MalformedCbor, lambda raw: raw.decode())
    with pytest.raises(UnicodeDecodeError):
        run(b"\xff")


def test_sequences_come_apart_as_they_were_put_together() -> None:
    messages = [b"", b"one", bytes(300)]
    assert unframed(framed(messages)) == messages
    assert unframed(b"\x00\x09short") == [b"short"]


def test_spoiling_changes_trees_bytes_and_orders_and_follows_from_the_seed() -> None:
    tree = cbor2.dumps({"a": [1, b"bytes", {2: "x"}], "b": cbor2.CBORTag(24, cbor2.dumps({"inner": 1}))})
    again = [spoil_cbor(Random(n), tree) for n in range(300)]
    assert again == [spoil_cbor(Random(n), tree) for n in range(300)]
    readable = 0
    for raw in again:
        try:
            cbor.decode(raw)
        except cbor.MalformedCbor:
            continue
        readable += 1
    assert readable > 200 and len(set(again)) > 150
    assert len({spoil(Random(n), tree) for n in range(100)}) > 90
    orders = {tuple(unframed(spoil_framed(Random(n), framed([b"a", b"b", b"c"])))) for n in range(200)}
    assert (b"b", b"a", b"c") in orders and (b"a", b"b", b"b", b"c") in orders and (b"b", b"c") in orders


def test_what_is_remembered_is_what_would_be_worked_out() -> None:
    """In a process of its own: it changes what every module signs and verifies with."""
    program = """
from virtual_devices import pki
plain = pki.sign, pki.verify, pki.ChainVerifier.check
from tests.fuzz_quick import Remembered, remember
remember()
from tests.desk import AUTHORITY, NOW_NS, STRANGER
from virtual_devices.pki import DAY_NS, Role
sam, root = AUTHORITY.issue(Role.SAM, "S"), pki.ChainVerifier(AUTHORITY.root_der)
signature = pki.sign(sam.key, b"text")
for _ in range(2):
    assert pki.sign(sam.key, b"text") == plain[0](sam.key, b"text") == signature
    for text in (b"text", b"other"):
        arguments = sam.key.public_key(), signature, text
        assert pki.verify(*arguments) == plain[1](*arguments) == (text == b"text")
    for chain in (sam.chain, STRANGER.issue(Role.SAM, "S").chain, (b"rubbish",), ()):
        for roles in ({Role.SAM}, {Role.PHYSICIAN}):
            for now_ns in (NOW_NS, NOW_NS + 1, NOW_NS + 99999 * DAY_NS):
                assert root.check(chain, roles, now_ns) == plain[2](root, chain, roles, now_ns)
few, made = Remembered(2), []
assert [few.get(n % 3, None, lambda n=n: made.append(n) or n) for n in range(7)] == list(range(7))
assert [few.get(6 % 3, None, lambda: -1), len(made)] == [6, 7]
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=fuzz.HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]


def test_command_lists_targets_and_names_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["-l"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in (*TARGETS, "card-t1", "desk-sam"))
    assert fuzz.main(["qqr"]) == 2 and "no target qqr" in capsys.readouterr().err


def test_command_runs_a_target_and_replays_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["200", "hpc", "--engine=mutate"]) == 0
    assert "200 inputs" in (told := capsys.readouterr().out) and "nothing but refusals" in told
    (tmp_path / "input").write_bytes(b"\x7f\x49\x00")
    assert fuzz.main(["tlv", "--replay", str(tmp_path / "input")]) == 0
