"""The report of a conformance run: its schema, its roll-ups, its signature, what it is compared with, and the page."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rfc8785
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bench import cli, compare, verify
from bench.conform_asked import Asked
from bench.conform_junit import junit
from bench.conform_report import JUNIT, PAGE, REPORT, SIGNATURE, VERDICTS, bench_version, report_of, write, write_data
from bench.conform_words import words_of
from bench.conforming import tried
from bench.exchanges import EXCHANGES, lines, packed
from bench.results import Results
from conformance import expected
from conformance.case import cases
from conformance.outcome import Outcome, capture
from conformance.outcome import outcome as made_outcome
from conformance.outcome import read as read_outcome
from conformance.report import Made, Report, Tried, build, canonical, read, unexpected_passes, verdict_bytes
from conformance.tester import Result
from conformance.verdict import Status, Verdict
from reports.catalogue import catalogue
from reports.conformance import page
from virtual_devices.errors import UsageError
from virtual_devices.trace import ExchangeRow

from . import declared

LINE = b'{"case":"wallet.session.one"}'
CASES = ("wallet.session.one", "wallet.session.two")
ENGLISH = words_of("en")[1]
MADE = Made(at="2026-03-02T00:00:00Z", laboratory="laboratory", python="3.11.2", machine="Linux x86_64")


def outcome(case: str, verdict: Verdict, why: str = "", channel: str = "nfc") -> Outcome:
    return Outcome(
        case, "wallet", "It does this.", "它這麼做。", ("P-SES-01",), "valid", "virtual", channel, verdict.value, "ran", why,
        f"vhc-bench conform --only '{case}'", (("one", verdict is Verdict.PASS, "1", "2"),), 1,
        sha256(LINE).hexdigest(), () if verdict is Verdict.PASS else (("ask", "replied", "9000", "00ca", "9000"),),
    )


def report(first: Verdict = Verdict.PASS, second: Verdict = Verdict.PASS, known: str = "") -> Report:
    outcomes = [outcome(CASES[1], second, "expected 1, received 2"), outcome(CASES[0], first)]
    return build(
        outcomes, made=MADE, bench="vhc-bench 0", seed=1, asked={"dut": []}, expected={(CASES[1], ""): known} if known else {},
        devices=[Tried(kind="wallet", device="virtual", channels=("nfc",), real=False)],
    )


def key_files(folder: Path, private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> tuple[Path, Path]:
    files = folder / "private.pem", folder / "public.pem"
    files[0].write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files[1].write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return files


KEYS = [ec.derive_private_key(7, ec.SECP256R1()), ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))]


def test_report_is_the_same_whatever_the_order_and_reads_back() -> None:
    made = report()
    assert [v.case for v in made.verdicts] == list(CASES)
    assert read(canonical(made), "report.json") == made
    later = MADE.model_copy(update={"at": "2027-01-01T00:00:00Z"})
    assert verdict_bytes(made.model_copy(update={"made": later})) == verdict_bytes(made)
    assert canonical(made.model_copy(update={"made": later})) != canonical(made)


@pytest.mark.parametrize(("change", "says"), [
    ({"verdict": "pass"}, "roll-up does not follow"), ({"more": 1}, "more"), ({"seed": "x"}, "seed"),
    ({"clauses": []}, "roll-up"),
])
def test_report_that_is_not_in_order_is_refused(change: dict[str, object], says: str) -> None:
    plain = report(second=Verdict.FAIL).model_dump(mode="json") | change
    with pytest.raises(UsageError, match=says):
        read(rfc8785.dumps(plain), "report.json")


def test_configuration_is_the_digest_of_what_was_asked_for(tmp_path: Path) -> None:
    made = report()
    assert sha256(made.asked.encode()).hexdigest() == made.configuration
    told = Asked(duts=("card=pcsc:X",), destructive=True, no_hands=True).for_report()
    assert (told["destructive"], told["no_hands"]) == (True, True)
    with pytest.raises(UsageError, match="configuration"):
        read(canonical(made.model_copy(update={"asked": '{"dut":["wallet=virtual"]}'})), "r")


def test_expected_failure_does_not_decide_and_one_that_passes_is_told() -> None:
    assert report(second=Verdict.FAIL).verdict is Verdict.FAIL
    assert report(second=Verdict.FAIL, known="known").verdict is Verdict.PASS
    assert [v.case for v in unexpected_passes(report(known="known"))] == [CASES[1]]
    assert report(second=Verdict.ERROR, known="known").verdict is Verdict.ERROR


GOOD = f'[[expected]]\ncase = "{CASES[0]}"\nchannel = "nfc"\nwhy = "old"\n'


def test_file_of_expected_failures_is_read() -> None:
    assert expected.read(GOOD, "known.toml", CASES, ["nfc"]) == {(CASES[0], "nfc"): "old"}
    several = f'[[expected]]\ncases = ["{CASES[0]}", "{CASES[1]}"]\nwhy = "old"\n'
    assert expected.read(several, "known.toml", CASES, ["nfc"]) == dict.fromkeys([(CASES[0], ""), (CASES[1], "")], "old")


@pytest.mark.parametrize(("text", "says"), [
    ("x = 1", "nothing else"), ("[[expected]", "known.toml"), (GOOD + GOOD, "twice"), (GOOD.replace("old", " "), "why it fails"),
    (GOOD.replace("session.one", "session.ones"), "did you mean 'wallet.session.one'"), (GOOD.replace('"nfc"', '"usb"'), "nfc"),
    (GOOD.replace("why", "because"), "it has case"), (GOOD.replace(f'"{CASES[0]}"', f'["{CASES[0]}"]'), "it has case"),
    (GOOD.replace("case =", "cases ="), "it has case"), (f"{GOOD}cases = []\n", "it has case"),
    ('[[expected]]\ncases = []\nwhy = "old"\n', "it has case"),
])
def test_file_of_expected_failures_that_is_wrong_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        expected.read(text, "known.toml", CASES, ["nfc"])


@pytest.mark.parametrize("key", KEYS, ids=["P-256", "Ed25519"])
def test_signed_report_holds_until_a_byte_is_changed(key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    private, public = key_files(tmp_path, key)
    folder = tmp_path / "out"
    write_data(report(second=Verdict.FAIL), folder, key=private, exchanges=packed(LINE) * 2)
    assert {p.name for p in folder.iterdir()} == {REPORT, SIGNATURE, VERDICTS, JUNIT, EXCHANGES}
    holds = CliRunner().invoke(verify.command, [str(folder), "--key", str(public)])
    assert (holds.exit_code, "verdict fail" in holds.output) == (0, True), holds.output
    raw = (folder / REPORT).read_bytes()
    (folder / REPORT).write_bytes(raw.replace(b"expected 1, received 2", b"expected 1, received 3", 1))
    altered = CliRunner().invoke(verify.command, [str(folder / REPORT)])
    assert (altered.exit_code, "does not hold" in altered.output) == (1, True), altered.output


def test_exchanges_are_lines_to_any_gunzip(tmp_path: Path) -> None:
    (tmp_path / EXCHANGES).write_bytes(packed(LINE) + packed(LINE[:-1]))
    assert gzip.decompress((tmp_path / EXCHANGES).read_bytes()) == LINE + b"\n" + LINE[:-1] + b"\n"
    assert list(lines(tmp_path)) == [LINE, LINE[:-1]]
    (tmp_path / EXCHANGES).write_bytes(packed())
    assert gzip.decompress((tmp_path / EXCHANGES).read_bytes()) == b"" and list(lines(tmp_path)) == []
    for spoilt in (b"none", packed(LINE)[:-1]):
        (tmp_path / EXCHANGES).write_bytes(spoilt)
        with pytest.raises(UsageError, match=EXCHANGES):
            list(lines(tmp_path))


def exchanged(second: Verdict, device: str = "virtual") -> tuple[Report, list[bytes]]:
    """A report of two cases, and the line of each."""
    told, there = [], [b'{"case":"%s"}' % case.encode() for case in CASES]
    for case, verdict, line in zip(CASES, (Verdict.PASS, second), there, strict=True):
        told.append(replace(outcome(case, verdict), device=device, capture=sha256(line).hexdigest()))
    tried = Tried(kind="wallet", device=device, channels=("nfc",), real=device != "virtual")
    return build(told, made=MADE, bench="vhc-bench 0", seed=1, asked={"dut": []}, devices=[tried]), there


def verified(folder: Path, made: Report, there: Sequence[bytes]) -> tuple[int, str]:
    folder.mkdir()
    private, _ = key_files(folder, KEYS[0])  # type: ignore[arg-type]
    write_data(made, folder, key=private, exchanges=b"".join(map(packed, there)))
    done = CliRunner().invoke(verify.command, [str(folder)])
    return done.exit_code, done.output


def test_exchanges_are_those_of_the_signed_report(tmp_path: Path) -> None:
    made, there = exchanged(Verdict.FAIL)
    assert verified(tmp_path / "whole", made, there)[0] == 0
    for name, wrong in (("altered", [*there[:1], there[1][:-1]]), ("twice", [*there, there[1]]), ("other", [*there, LINE])):
        code, said = verified(tmp_path / name, made, wrong)
        assert (code, "lines that are no case's" in said) == (1, True), said
    (tmp_path / "whole" / EXCHANGES).unlink()
    for alone, code in (([], 1), (["--report-alone"], 0)):
        done = CliRunner().invoke(verify.command, [str(tmp_path / "whole"), *alone])
        assert (done.exit_code, "is not checked" in done.output) == (code, True)


def test_exchanges_that_come_again_from_the_seed_may_be_left_out_and_no_others(tmp_path: Path) -> None:
    made, there = exchanged(Verdict.FAIL)
    code, said = verified(tmp_path / "passed is left out", made, there[1:])
    assert (code, "of the report's digests: 1\n" in said, "not checked: 1. They passed" in said) == (0, True, True), said
    for device, verdict, kept in (("virtual", Verdict.FAIL, there[:1]), ("pcsc:X", Verdict.PASS, there[1:]),
                                  ("virtual", Verdict.INCONCLUSIVE, [])):
        code, said = verified(tmp_path / f"{device} {verdict.value}", exchanged(verdict, device)[0], kept)
        assert (code, "are not there" in said) == (1, True), said


def test_report_that_an_editor_has_formatted_is_not_what_was_signed(tmp_path: Path) -> None:
    """Over its bytes anybody's library verifies the signature: so does ours."""
    private, _ = key_files(tmp_path, KEYS[0])  # type: ignore[arg-type]
    write_data(report(), tmp_path / "out", key=private, exchanges=packed(LINE) * 2)
    path = tmp_path / "out" / REPORT
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1), encoding="utf-8")
    done = CliRunner().invoke(verify.command, [str(path)])
    assert (done.exit_code, "RFC 8785" in done.output) == (1, True), done.output


@pytest.mark.parametrize("name", [PAGE, VERDICTS, JUNIT])
def test_what_lies_beside_a_signed_report_says_the_same(name: str, tmp_path: Path) -> None:
    private, _ = key_files(tmp_path, KEYS[0])  # type: ignore[arg-type]
    made = report(second=Verdict.FAIL).model_copy(update={"bench": bench_version()})
    folder = tmp_path / "out"
    write(made, folder, key=private, exchanges=packed(LINE) * 2, language="zh-TW")
    assert CliRunner().invoke(verify.command, [str(folder)]).exit_code == 0
    raw = (folder / name).read_bytes()
    (folder / name).write_bytes(raw.replace(b"received 2", b"received 1"))
    done = CliRunner().invoke(verify.command, [str(folder)])
    assert (done.exit_code, f"{name} is not what the signed report says" in done.output) == (1, True), done.output
    if name == PAGE:
        assert CliRunner().invoke(cli.main, ["report", str(folder), "--lang", "zh-TW"]).exit_code == 0
        assert (folder / name).read_bytes() == raw


@pytest.mark.parametrize("wrong", ["no key", "a folder that is a file"])
def test_what_would_be_lost_at_the_end_is_told_before_anything_is_tried(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("none")
    key, out = (tmp_path / "file", tmp_path / "out") if wrong == "no key" else (None, tmp_path / "file" / "out")
    with pytest.raises(UsageError, match="no private key" if wrong == "no key" else "cannot be written"):
        tried(Asked(duts=("card=virtual",)), 1, False, out, key, None)


def test_device_that_is_no_spare_one_is_not_changed(tmp_path: Path) -> None:
    lines = 'form = "pixit"\nkind = "card"\n[answers]\nmoniker = "pcsc:X"\nchannels = []\nanswer_s = 9\nperson_s = 9\nspare = '
    for spare in (False, True):
        pixit = tmp_path / f"{spare}.toml"
        pixit.write_text(lines + ("true" if spare else "false"))
        asked = Asked(pixit=(pixit,), destructive=True)
        if spare:
            assert asked.check() == 1
        else:
            with pytest.raises(UsageError, match="spare = false"):
                asked.check()


def test_report_names_the_device_as_declared_and_what_no_case_can_show(tmp_path: Path) -> None:
    pics = declared.written(tmp_path, "wallet", maker="Maker Inc.", model="W1")
    asked = Asked(duts=("wallet=virtual",), pics=(pics,), destructive=True, seed=2, laboratory="a lab")
    made = report_of(Results((outcome(CASES[0], Verdict.PASS),)), asked, {})
    assert (made.devices[0].maker, made.devices[0].model) != ("", "")
    assert "P-MSO-09" in {each.clause for each in made.stated if each.proof == "declaration"}
    assert any(each.answers for each in made.stated)
    command = made.verdicts[0].command
    assert command.endswith(f"--only wallet.session.one --pics {pics} --destructive --seed 2 --laboratory 'a lab'")
    shown = page(made.model_dump(mode="json"), catalogue("zh-TW"))
    assert f"{made.devices[0].maker} {made.devices[0].model}" in shown
    assert "無法以案例證明的條款" in shown


def test_bytes_of_a_real_devices_messages_are_kept_only_when_asked_for() -> None:
    row = ExchangeRow(0, "", "s", "conform", "read", "card", "contact", "pcsc:X", "measured", 5, 1, "replied", b"\x00\xca",
                      b"NAME", 2, 4, "9000", "")
    result = Result("card.x.y", Verdict.FAIL, Status.RAN, "why", (), (row,))
    case = cases()[0]
    assert b"4e414d45" in capture(case.id, result, "pcsc:X", "contact")
    assert b"4e414d45" not in capture(case.id, result, "pcsc:X", "contact", masked=True)
    told = made_outcome(case, result, "pcsc:X", "contact", masked=True)
    assert told.frames == (("read", "replied", "9000", "2 bytes", "4 bytes"),)
    assert read_outcome(json.loads(json.dumps(told.plain()))) == told


def test_report_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    private, _ = key_files(tmp_path, KEYS[0])  # type: ignore[arg-type]
    write_data(report(), tmp_path / "out", key=private)
    (tmp_path / "other").mkdir()
    _, other = key_files(tmp_path / "other", ec.derive_private_key(8, ec.SECP256R1()))
    done = CliRunner().invoke(verify.command, [str(tmp_path / "out"), "--key", str(other)])
    assert (done.exit_code, "another key" in done.output) == (1, True)


def test_report_without_a_signature_is_not_verified(tmp_path: Path) -> None:
    write_data(report(), tmp_path / "out")
    done = CliRunner().invoke(verify.command, [str(tmp_path / "out")])
    assert done.exit_code != 0
    assert isinstance(done.exception, UsageError)


def test_new_failure_is_worse_whatever_was_before_and_a_reader_may_change_its_name(tmp_path: Path) -> None:
    before = report(second=Verdict.INCONCLUSIVE)
    moved = {"devices": tuple(one.model_copy(update={"device": "pcsc:B"}) for one in before.devices),
             "verdicts": tuple(one.model_copy(update={"device": "pcsc:B"}) for one in report(second=Verdict.FAIL).verdicts),
             "verdict": Verdict.FAIL, "clauses": report(second=Verdict.FAIL).clauses}
    write_data(before, tmp_path / "a")
    write_data(before.model_copy(update=moved), tmp_path / "b")
    done = CliRunner().invoke(compare.command, [str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 1, done.output
    assert "virtual -> pcsc:B" in done.output and CASES[0] not in done.output
    back = CliRunner().invoke(compare.command, [str(tmp_path / "b"), str(tmp_path / "a")])
    assert back.exit_code == 0, back.output


@pytest.mark.parametrize(("after", "code"), [(Verdict.FAIL, 1), (Verdict.PASS, 0)])
def test_comparison_tells_what_got_worse(after: Verdict, code: int, tmp_path: Path) -> None:
    write_data(report(), tmp_path / "a")
    write_data(report(second=after), tmp_path / "b")
    done = CliRunner().invoke(compare.command, [str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == code
    assert ("wallet.session.two" in done.output) is (code == 1)
    better = CliRunner().invoke(compare.command, [str(tmp_path / "b"), str(tmp_path / "a")])
    assert better.exit_code == 0


def test_junit_counts_and_keeps_expected_failures_apart() -> None:
    found = ElementTree.fromstring(junit(report(second=Verdict.FAIL), ENGLISH))
    assert found.find("testsuite[@failures='1'][@tests='2']") is not None
    assert [f.get("message") for f in found.iter("failure")] == ["fail: expected 1, received 2"]
    known = ElementTree.fromstring(junit(report(second=Verdict.FAIL, known="known"), ENGLISH))
    assert list(known.iter("failure")) == []
    assert known.find("testsuite[@failures='0'][@skipped='1']") is not None


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The device did something else"), ("zh-TW", "裝置的行為與條款要求不符。")]
)
def test_page_says_what_failed_and_how_to_see_it_again(language: str, words: str) -> None:
    made = page(report(second=Verdict.FAIL).model_dump(mode="json"), catalogue(language))
    assert words in made
    assert "expected 1, received 2" in made
    assert "vhc-bench conform --only" in made
    assert ("它這麼做。" in made) is (language == "zh-TW")


def test_page_lies_beside_the_data(tmp_path: Path) -> None:
    assert write(report(), tmp_path / "out", language="zh-TW") == tmp_path / "out" / PAGE
    assert "所有適用的案例均通過。" in (tmp_path / "out" / PAGE).read_text(encoding="utf-8")


def test_page_escapes_what_a_device_says() -> None:
    plain = report(second=Verdict.FAIL).model_dump(mode="json")
    plain["verdicts"][1]["why"] = "<script>alert(1)</script>"
    assert "<script>" not in page(plain, catalogue())
