"""Devices that others wrote, a sample of the cases: each reason of the files of expected failures, and every sixth other case.

``python -m tests.third_parties`` tries them whole.
"""

from __future__ import annotations

import pytest

from bench.declaration import load
from conformance.case import cases
from conformance.verdict import Verdict

from .places import ROOT
from .third_parties import FOLDER, THIRD_PARTIES, ThirdParty, surprises, tried

BY_NAME = {party.name: party for party in THIRD_PARTIES}
FELL = "card.public.foreign-select-is-refused[master-file-with-data]"


def sample(party: ThirdParty) -> set[str]:
    firsts = {why: case for case, why in reversed(party.expected.items())}
    declared = load(FOLDER / f"{party.name}.pics.toml")
    others = [
        case.id for case in cases() if case.kind is party.kind and case.id not in party.expected
        and not case.destructive and (not case.channels or party.channel in case.channels)
        and not declared.form.rules_out(case, party.channel, declared.answers)
    ]
    return {*firsts.values(), *others[::6]}


@pytest.mark.parametrize("name", [
    *(pytest.param(party.name, marks=pytest.mark.needs("judges")) for party in THIRD_PARTIES if party.channel == "program"),
    pytest.param("smartcard", marks=pytest.mark.needs("judges", "pcsc")),
])
def test_library_fails_what_its_file_says_and_nothing_else(name: str) -> None:
    found = tried(BY_NAME[name], sample(BY_NAME[name]))
    assert surprises(BY_NAME[name], found) == {}
    assert any(result.verdict is Verdict.PASS for _, result in found.values())


@pytest.mark.needs("judges", "pcsc", "vicc")
def test_card_that_is_none_of_ours_fails_and_leaves_open_what_comes_after_its_fall() -> None:
    names = {*list(BY_NAME["vicc"].expected)[:1], FELL, "card.public.foreign-select-is-refused[passport]"}
    found = {case: result for case, (_, result) in tried(BY_NAME["vicc"], names).items()}
    verdicts = [result.verdict for result in found.values()]
    assert verdicts == [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
    assert "gone" in found[FELL].why


@pytest.mark.parametrize("party", THIRD_PARTIES, ids=lambda party: party.name)
def test_page_has_every_device_and_reason(party: ThirdParty) -> None:
    page = (ROOT / "docs" / "reference" / "third-parties.md").read_text(encoding="utf-8")
    assert f"## {party.what}, as {party.kind.value}\n\n{party.theirs}\n" in page
    assert [why for why in party.expected.values() if f"| {why} |" not in page] == []
