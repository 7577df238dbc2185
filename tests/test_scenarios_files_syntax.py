"""Files that are no TOML, or no scenario at all: told as faults, at their place, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.files import ScenarioFaults, load

from . import scenario_text
from .scenario_text import WHOLE, changed, found, told, written

toy = scenario_text.toy


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("doctors = 3", "doctors = three", '12:11: cannot be read as TOML: invalid value; a text needs quotes: "three"'),
        ("doctors = 3", "doctors: 3", "12:8: cannot be read as TOML: expected '=' after a key in a key/value pair; write = "
         "between a key and its value"),
        ('"virtual-card"', '"virtual-card', "14:24: cannot be read as TOML: illegal character '\\n'; close the quotes before the "
         "end of the line"),
        ("[run]", "[run", "6:5: cannot be read as TOML: expected ']' at the end of a table declaration"),
        ('"consultation"]', '"consultation"', "17:1: cannot be read as TOML: unclosed array; a [ further up is never closed"),
        ("doctors = 3", "doctors =", "12:10: cannot be read as TOML: invalid value"),
    ],
)  # fmt: skip
def test_syntax_error_is_told_at_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert told(tmp_path, changed(old, new)) == [says]


def test_every_unreadable_line_is_told_and_the_rest_still_checked(tmp_path: Path) -> None:
    text = changed("seed = 7", "seed = seven").replace("doctors = 3", "doctors = three").replace("0.5", "1.5")
    assert [t.split(";")[0] for t in told(tmp_path, text)] == [
        "7:8: cannot be read as TOML: invalid value",
        "12:11: cannot be read as TOML: invalid value",
        "13:17: params.virtual_share: must be at most 1 (a share), is 1.5",
    ]


def test_key_given_twice_names_the_line_of_the_first(tmp_path: Path) -> None:
    text = changed("seed = 7", "seed = 7\nseed = 8").replace("0.5", "1.5")
    assert told(tmp_path, text) == [
        "8:1: run.seed: this key is there already, in line 7; keep one of the two",
        "14:17: params.virtual_share: must be at most 1 (a share), is 1.5",
    ]


def test_table_given_twice_names_the_line_of_the_first(tmp_path: Path) -> None:
    assert told(tmp_path, WHOLE + "[run]\n") == ["37:2: run: this table [run] is there already, in line 6; keep one of the two"]


def test_text_that_ends_too_early_is_pointed_at_in_its_last_line(tmp_path: Path) -> None:
    faults = found(tmp_path, 'situation = "toy"\ntitle = """open\n\n')
    assert [(f.line, f.hint) for f in faults] == [(2, "close the quotes")]


def test_deep_nesting_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    assert "nested too deeply" in told(tmp_path, f"x = {'[' * 5000}{']' * 5000}\n")[0]
    found(tmp_path, f"x = {'[' * 150}{']' * 150}\n")
    found(tmp_path, "x = " + "{ a = " * 150 + "1" + " }" * 150 + "\n")


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_empty_file_says_how_to_begin(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == ['1:1: is empty; begin with: situation = "toy"']


def test_file_of_comments_lacks_what_every_file_has(tmp_path: Path) -> None:
    assert [f.where for f in found(tmp_path, "# nothing\n")] == ["situation", "title"]


def test_directory_is_no_scenario_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFaults, match=r"is a directory, not a scenario file; name a \.toml file in it"):
        load(tmp_path)


def test_file_that_is_not_there_suggests_one_that_is(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    with pytest.raises(ScenarioFaults, match=r"there is no such file; did you mean .*clinic\.toml\?"):
        load(path.with_name("clinc.toml"))
    with pytest.raises(ScenarioFaults, match="there is no such file"):
        load(tmp_path / "nowhere" / "clinic.toml")


def test_file_that_shares_only_its_ending_is_not_suggested(tmp_path: Path) -> None:
    (tmp_path / "bin.toml").touch()
    with pytest.raises(ScenarioFaults) as caught:
        load(tmp_path / "nope.toml")
    assert "did you mean" not in str(caught.value)


def test_file_that_is_not_utf8_is_pointed_at_where_it_stops_being(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_bytes('situation = "toy"\ntitle = "診所'.encode() + "診所".encode("big5") + b'"\n')
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column, fault.hint) == (2, 12, "save it as UTF-8 in the editor")


def test_path_with_a_null_character_is_a_fault() -> None:
    with pytest.raises(ScenarioFaults, match="cannot be read"):
        load(Path("a\0b.toml"))


def test_file_that_is_not_there_suggests_none_that_only_ends_alike(tmp_path: Path) -> None:
    (tmp_path / "bin.toml").write_text("")
    with pytest.raises(ScenarioFaults, match=r"there is no such file$|there is no such file\n"):
        load(tmp_path / "nope.toml")
