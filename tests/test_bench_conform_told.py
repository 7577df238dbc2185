"""What ``conform`` says at the end: every failure on its own, and a reason that hundreds share once."""

from __future__ import annotations

import pytest

from bench.conform_told import MOST_ALONE, NAMED, tell
from bench.conform_words import words_of
from conformance.report import Made, Report, Tried, build
from conformance.verdict import Verdict

from .test_conformance_report import outcome

MADE = Made(at="2026-03-02T00:00:00Z", laboratory="laboratory", python="3.11.2", machine="Linux x86_64")


def report(*whys: str) -> Report:
    """A case each that did not pass for that reason, and one that passed."""
    told = [outcome(f"wallet.session.{n:03}", Verdict.INCONCLUSIVE, why) for n, why in enumerate(whys)]
    told.append(outcome("wallet.session.passed", Verdict.PASS))
    return build(
        told, made=MADE, bench="vhc-bench 0", seed=1, asked={"dut": []}, expected={},
        devices=[Tried(kind="wallet", device="virtual", channels=("nfc",), real=False)],
    )


def test_reason_that_many_share_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell(report(*["nobody is there"] * 2, "it took too long", *["nobody is there"] * 300), words_of("en")[1])
    said = capsys.readouterr().out
    assert said.count("nobody is there") == said.count("it took too long") == 1
    assert "INCONCLUSIVE  302 cases over nfc" in said and f"and {302 - NAMED} more" in said
    assert said.count("again") == 2 and "wallet.session.002" in said and "303" in said.splitlines()[-1]


def test_few_are_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell(report(*["nobody is there"] * MOST_ALONE), words_of("en")[1])
    said = capsys.readouterr().out
    assert [f"wallet.session.{n:03} over nfc (P-SES-01)" in said for n in range(MOST_ALONE)] == [True] * MOST_ALONE
    assert said.count("again: vhc-bench") == MOST_ALONE and "wallet.session.passed" not in said
