"""The catalogue of requirements: whole, closed in its words, and clear when somebody slips."""

from __future__ import annotations

import tomllib
from collections import Counter
from importlib.resources import files

import pytest

from conformance.catalogue import CatalogueError, Duty, Party, Requirement, ShownBy, find, parse, requirements
from virtual_devices.errors import UsageError

GOOD = """
[[requirement]]
id = "ABC-01"
says = "A thing holds."
source = "m1 topic; m3 another"
duty = "must"
on = ["wallet", "reader"]
shown_by = ["conformance"]
"""


def test_catalogue_has_every_requirement_once() -> None:
    ids = [requirement.id for requirement in requirements()]
    assert len(ids) == len(set(ids)) == 61
    assert Counter(requirement.duty for requirement in requirements()) == {Duty.MUST: 55, Duty.SHOULD: 5, Duty.MAY: 1}


def test_catalogue_loses_no_row_of_its_file() -> None:
    text = (files("conformance") / "requirements" / "requirements.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["requirement"]
    assert [
        {
            "id": requirement.id,
            "says": requirement.says,
            "source": requirement.source,
            "duty": requirement.duty.value,
            "on": [party.value for party in requirement.on],
            "shown_by": [way.value for way in requirement.shown_by],
        }
        for requirement in requirements()
    ] == rows


def test_every_party_is_bound_by_a_requirement_but_for_the_holder() -> None:
    bound = {party for requirement in requirements() for party in requirement.on}
    assert bound == set(Party) - {Party.HOLDER}


def test_every_way_of_showing_is_used() -> None:
    assert {way for requirement in requirements() for way in requirement.shown_by} == set(ShownBy)


def test_find_gives_the_requirement_of_an_id() -> None:
    found = find("WBK-02")
    assert found.on == (Party.WALLET, Party.IC_CARD)
    assert found.shown_by == (ShownBy.CONFORMANCE,)
    assert str(found).startswith("WBK-02 A card torn from the reader")


def test_find_says_what_looks_like_it() -> None:
    with pytest.raises(CatalogueError, match=r"no requirement 'wbk-2'; there is .*WBK-02"):
        find("wbk-2")
    with pytest.raises(UsageError, match=r"no requirement ''$"):
        find("")


def test_parse_reads_a_row() -> None:
    (one,) = parse(GOOD, "test")
    assert one == Requirement(
        "ABC-01", "A thing holds.", "m1 topic; m3 another", Duty.MUST, (Party.WALLET, Party.READER), (ShownBy.CONFORMANCE,)
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('duty = "must"', 'duty = "shall"', "ABC-01: duty is 'shall'; it must be one of must, should, may"),
        ('"wallet", "reader"', '"wallet", "raeder"', "ABC-01: on is 'raeder'; it must be one of wallet, ic-card, reader"),
        ('["conformance"]', '["tests"]', "shown_by is 'tests'; it must be one of conformance, scenario, report"),
        ('["conformance"]', "[]", "shown_by is []; it must be a list of one or more"),
        ('["conformance"]', '"conformance"', "shown_by is 'conformance'; it must be a list"),
        ('"wallet", "reader"', '"wallet", "wallet"', "on names something twice"),
        ('"wallet", "reader"', "1", "on is 1; it must be one of"),
        ('id = "ABC-01"', 'id = "abc1"', "id is 'abc1'; it must be three letters"),
        ('id = "ABC-01"', "", "requirement number 1: missing or unknown: id"),
        ('duty = "must"', 'duty = "must"\nlevel = 1', "missing or unknown: level"),
        ('"A thing holds."', '" "', "says is ' '; it must be one line of text"),
        ('"m1 topic; m3 another"', '"m4 topic"', "source is 'm4 topic'"),
        ("[[requirement]]", "[[requirements]]", "there must be [[requirement]] rows and nothing else"),
        ("[[requirement]]", "[meta]\n[[requirement]]", "there must be [[requirement]] rows and nothing else"),
        ("[[requirement]]", "[requirement]", "there must be [[requirement]] rows and nothing else"),
        ('id = "ABC-01"', "id = ", "at line 3"),
    ],
)
def test_parse_refuses_a_slip_and_says_where(old: str, new: str, says: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(CatalogueError) as caught:
        parse(GOOD.replace(old, new), "test.toml")
    assert str(caught.value).startswith("test.toml: ")
    assert says in str(caught.value)


def test_parse_refuses_the_same_id_twice() -> None:
    with pytest.raises(CatalogueError, match=r"test\.toml: requirement ABC-01 is there twice"):
        parse(GOOD + GOOD, "test.toml")


def test_parse_refuses_an_empty_catalogue() -> None:
    with pytest.raises(CatalogueError):
        parse("", "test.toml")
