"""``audit export`` and ``audit verify``: a whole log is proved; what was changed, dropped, exchanged or rolled back is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.datacentre import audit_files, credentials
from bench.datacentre.database import open_books
from bench.exits import ENVIRONMENT
from virtual_devices.cloud.audit import NODES, AuditLog, Who, audit_log
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.issuer import CardIssuer
from virtual_devices.pki import Role

from .data_centre import Served, served
from .desk import AUTHORITY, NOW_NS

CENTRE = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
Lines = list[dict[str, Any]]


def log_of(count: int) -> AuditLog:
    log = AuditLog(MemoryBooks(), b"secret")
    more(log, count)
    return log


def more(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.institution(NOW_NS + number, "0", "9901180014", "SAM000000001", "begin-visit", f"{number % 3:012d}")


def lines(exported: Iterable[str]) -> Lines:
    return [json.loads(line) for line in exported]


def verdict(tmp_path: Path, *files: Lines, lang: str = "en") -> tuple[int, str]:
    paths = []
    for number, content in enumerate(files):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in content), encoding="utf-8")
        paths.append(str(path))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(credentials.pem([AUTHORITY.root_der]))
    done = CliRunner().invoke(main, ["audit", "verify", *paths, "--ca", str(ca), "--lang", lang])
    return done.exit_code, done.output


def test_whole_log_is_proved_and_what_is_not_is_said(tmp_path: Path) -> None:
    code, said = verdict(tmp_path, lines(audit_files.export(log_of(20), CENTRE, NOW_NS)))
    assert code == 0 and "WRONG" not in said
    assert "proved: all entries 0 to 19 are there" in said and "proved: 1 head(s) are signed" in said
    assert "not proved: that everything was written down when it happened" in said


def test_log_that_grew_is_proved_to_continue(tmp_path: Path) -> None:
    log = log_of(13)
    first = lines(audit_files.export(log, CENTRE, NOW_NS))[:1]  # somebody kept the head alone
    more(log, 20)
    second = lines(audit_files.export(log, CENTRE, NOW_NS + 1, since=[13]))
    code, said = verdict(tmp_path, first, second)
    assert code == 0 and "the log of 33 entries continues the one of 13" in said


def _changed(found: Lines) -> None:
    found[8]["entry"]["code"] = "9012"


def _dropped(found: Lines) -> None:
    del found[8]


def _dropped_and_renumbered(found: Lines) -> None:
    del found[8]
    for number, line in enumerate(found[1:]):
        line["entry"]["number"] = number


def _reordered(found: Lines) -> None:
    found[8], found[9] = found[9], found[8]


def _exchanged(found: Lines) -> None:
    found[8]["entry"], found[9]["entry"] = ({**found[9]["entry"], "number": 7}, {**found[8]["entry"], "number": 8})


def _cut(found: Lines) -> None:
    del found[15:]


@pytest.mark.parametrize(
    ("harm", "named"),
    [(_changed, "entries 0 to 19: one was changed"), (_dropped, "entry 7 is missing"),
     (_dropped_and_renumbered, "a head is over 20 entries, 19 are there"), (_reordered, "entry 7 is missing"),
     (_exchanged, "entries 0 to 19: one was changed, or two were exchanged"), (_cut, "a head is over 20 entries, 14 are there")],
)
def test_harm_is_named(tmp_path: Path, harm: Callable[[Lines], None], named: str) -> None:
    found = lines(audit_files.export(log_of(20), CENTRE, NOW_NS))
    harm(found)
    code, said = verdict(tmp_path, found)
    assert code == 1 and named in said


def test_older_head_tells_where_a_change_lies(tmp_path: Path) -> None:
    log = log_of(13)
    first = lines(audit_files.export(log, CENTRE, NOW_NS))[:1]
    more(log, 7)
    found = lines(audit_files.export(log, CENTRE, NOW_NS + 1, since=[13]))
    found[18]["entry"]["code"] = "9012"
    code, said = verdict(tmp_path, first, found)
    assert code == 1 and "entries 13 to 19: one was changed" in said and "all entries 0 to 12 are there" in said


def test_log_that_was_rolled_back_is_named(tmp_path: Path) -> None:
    before = lines(audit_files.export(log_of(20), CENTRE, NOW_NS))[:1]
    after = lines(audit_files.export(log_of(15), CENTRE, NOW_NS + 1))
    code, said = verdict(tmp_path, before, after)
    assert code == 1 and "rolled back: a head over 20 entries is followed by one over 15" in said


def test_log_whose_past_was_rewritten_is_named(tmp_path: Path) -> None:
    before = lines(audit_files.export(log_of(10), CENTRE, NOW_NS))[:1]
    other = AuditLog(MemoryBooks(), b"secret")
    other.institution(NOW_NS, "0", "8801180014", "SAM000000002", "late")
    more(other, 19)
    code, said = verdict(tmp_path, before, lines(audit_files.export(other, CENTRE, NOW_NS + 1, since=[10])))
    assert code == 1 and "does not continue the one of 10: its past was rewritten" in said


def test_holders_part_is_proved_and_cannot_be_altered(tmp_path: Path) -> None:
    found = lines(audit_files.export_about(log_of(20), CENTRE, NOW_NS, "000000000001"))
    code, said = verdict(tmp_path, found, lang="zh-TW")
    assert code == 0 and "已證明: 7 筆紀錄確列於簽署的紀錄中" in said and "未證明: 是否為全部紀錄" in said
    found[1]["entry"]["what"] = "late"
    code, said = verdict(tmp_path, found)
    assert code == 1 and "entry 1 is not proved under any head" in said


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"head": "zz"}', '{"entry": {}}', '{"inclusion": 1}', "\udcff"])
def test_file_that_is_none_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "none.jsonl"
    path.write_bytes((line or "x").encode("utf-8", "surrogateescape") + b"\n")
    done = CliRunner().invoke(main, ["audit", "verify", str(path)])
    assert done.exit_code == 2 and "none.jsonl" in done.output


def test_export_is_made_of_the_data_centres_own_books(tmp_path: Path) -> None:
    identity = CardIssuer(credentials.own_authority(tmp_path, NOW_NS), b"").data_centre
    books = open_books(tmp_path / "books.db")
    more(audit_log(books, identity), 5)
    books.close()
    credentials.write(tmp_path / "credentials", credentials.own_authority(tmp_path), ["localhost"])
    out = tmp_path / "log.jsonl"
    asked = ["audit", "export", str(out), "--directory", str(tmp_path)]
    assert CliRunner().invoke(main, asked).exit_code == 0
    done = CliRunner().invoke(main, ["audit", "verify", str(out), "--ca", str(tmp_path / "credentials" / "ca.pem")])
    assert done.exit_code == 0 and "all entries 0 to 4 are there" in done.output
    assert CliRunner().invoke(main, [*asked, "--holder", "000000000001"]).exit_code == 0
    assert len(out.read_text().splitlines()) == 1 + 2 * 2


def test_entries_are_shown_with_whose_card_signed(tmp_path: Path) -> None:
    log = log_of(1)
    log.institution(NOW_NS, "0", "9901180014", "SAM000000001", "emergency-open", "000000000000", "A123456789")
    log.person(NOW_NS, "4029", Who.PHONE, "phone", "accesses", "000000000000", b"\x01" * 16)
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(audit_files.export_about(log, CENTRE, NOW_NS, "000000000000")), encoding="utf-8")
    by = log.pseudonym("professional A123456789").hex()
    phone = log.pseudonym("phone phone").hex()
    first, second, third = CliRunner().invoke(main, ["audit", "show", str(path)]).output.splitlines()
    assert first == "0  2026-03-02 08:00:00+08:00  institution  9901180014/SAM000000001  begin-visit  0"
    assert second.endswith(f"institution  9901180014/SAM000000001  emergency-open  0  professional {by}")
    assert third.endswith(f"phone  {phone}  accesses  4029  under {'01' * 16}")
    assert "醫事人員" in CliRunner().invoke(main, ["audit", "show", str(path), "--lang", "zh-TW"]).output


def asked(there: Served, *arguments: str) -> tuple[int, str]:
    at = ["--service", there.url.replace("127.0.0.1", "localhost"), "--credentials", str(there.directory)]
    done = CliRunner().invoke(main, ["audit", "verify", *arguments, *at])
    return done.exit_code, done.output


def test_running_service_continues_the_heads_that_were_kept(tmp_path: Path) -> None:
    first, second = str(tmp_path / "monday.jsonl"), str(tmp_path / "friday.jsonl")
    with served(tmp_path / "credentials") as there:
        log = there.centre.desks.audit
        there.centre.act(lambda: more(log, 20))
        assert asked(there, "--keep", first)[0] == 0
        there.centre.act(lambda: more(log, 5))
        code, said = asked(there, first, "--keep", second)
        assert code == 0 and "continues the one of 2" in said
        code, said = asked(there, first, second)
        assert code == 0 and said.count("continues the one of") == 2
        shelf = there.centre.books.shelf(NODES)
        for node in list(shelf):  # the past is written anew
            shelf.put(replace(node, value=bytes(32)))
        code, said = asked(there, first)
        assert code == 1 and "its past was rewritten" in said


def test_service_that_cannot_be_asked_is_an_environment(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["audit", "verify", "--service", "https://localhost:1", "--credentials", str(tmp_path)])
    assert done.exit_code == ENVIRONMENT
    assert CliRunner().invoke(main, ["audit", "verify"]).exit_code != 0
