"""A clinic's records of visits: their formats, sent again until they are answered, set aside and corrected."""

from __future__ import annotations

from conformance.case import Each, Nature, case
from conformance.kinds.clinic import ClinicTester


@case("P-UPL-03", "P-UPL-08", nature=Nature.INVALID, zh="上傳之回覆不成立：仍待送", each=lambda: {
    fate.replace(" ", "-"): Each((fate, code), f"The answer to the upload is {fate}.") for fate, code in (
        ("refuses 9060", "9060"), ("without report", "9070"), ("odd report", "9070"), ("words report", "9070"),
        ("without opcode", "9070"),
        ("odd opcode", "9070"))})
def test_upload_is_done_by_a_report_only(clinic: ClinicTester, value: tuple[str, str]) -> None:
    """A record whose upload was refused, or answered by what is no report, is kept; it counts when there is one."""
    fate, code = value
    clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.software.line_is([fate] * 6)
    clinic.equal("code", clinic.act("upload", clinic.software.upload).code, code)
    shelves = clinic.shelves()
    clinic.equal("it waits", (shelves.queue, shelves.done, shelves.refused), (1, 0, 0))
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.done("upload", clinic.software.upload)
    clinic.equal("then", clinic.shelves().done, 1)
    clinic.equal("one file, however often", len(clinic.files()), 1)


@case("P-UPL-01", nature=Nature.VALID, zh="1.0 及 2.0 格式", each=lambda: {
    version: Each(version, f"Format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_record_follows_its_format(clinic: ClinicTester, version: str) -> None:
    """A record of either format can be read by its tables, in its encoding, and counts."""
    clinic.version(version)
    clinic.done("visit", lambda: clinic.software.visit("card"))
    [whole] = clinic.files()
    clinic.expect("its encoding", (b"Big5" if version == "1.0" else b"UTF-8") in whole[:60], version, whole[:60])
    record = clinic.the_record()
    clinic.equal("format", record.version.value, version)
    clinic.equal("it counts", clinic.shelves().done, 1)


@case("P-UPL-01", nature=Nature.LIMIT, zh="編碼所無之字元：不代換，擱置")
def test_character_that_the_encoding_has_not_is_never_replaced(clinic: ClinicTester) -> None:
    """A record with a character that Big5 has not is set aside for a person, and nothing goes out in its place."""
    clinic.version("1.0")
    clinic.act("visit", lambda: clinic.software.visit("card", allergy="青\U00020bb7"))
    clinic.equal("files sent", clinic.files(), [])
    shelves = clinic.shelves()
    clinic.equal("set aside", (shelves.queue, shelves.refused, shelves.done), (0, 1, 0))
    clinic.software.later(60)
    clinic.act("visit", lambda: clinic.software.visit("card", allergy="青黴素"))
    files = clinic.files()
    clinic.equal("files sent", len(files), 1)
    clinic.expect("one that Big5 has", "青黴素".encode("big5") in files[0], "青黴素", files[0])
    shelves = clinic.shelves()
    clinic.equal("it counts", (shelves.queue, shelves.refused, shelves.done), (0, 1, 1))


@case("P-UPL-03", "P-UPL-08", "P-CSW-08", nature=Nature.MEDIUM, zh="上傳中斷或回覆遺失：原樣再送", each=lambda: {
    f"{fate.replace(' ', '-')}-{number}": Each(["", "", ""][:number] + [fate] * 3, f"{fate.capitalize()} from request {number}.")
    for number in (1, 2) for fate in ("lost", "reply lost", "forged", "noise")
})
def test_upload_that_was_interrupted_is_sent_again_unchanged(clinic: ClinicTester, fates: list[str]) -> None:
    """An upload whose answer is not there, or not the data centre's, is sent again as it was until it is answered; once it is."""
    clinic.done("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.requests()
    clinic.software.line_is(fates[1:])
    clinic.act("upload", clinic.software.upload)
    for _ in range(4):
        clinic.software.line_is([])
        clinic.software.later(61)
        clinic.act("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("then", (shelves.queue, shelves.done, shelves.refused), (0, 1, 0))
    clinic.equal("one file, however often", len(clinic.files()), 1)
    clinic.equal("one batch", len({r[7].get("batch") for r in clinic.requests("upload")}), 1)


@case("P-UPL-04", nature=Nature.INVALID, zh="檢核不符：擱置，更正後再送", each=lambda: {
    version: Each(version, f"In format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_record_that_a_check_refused_is_set_aside_and_corrected(clinic: ClinicTester, version: str) -> None:
    """A record that a check refused is set aside with its code; corrected, it is sent again, in 1.0 as a correction."""
    clinic.version(version)
    clinic.act("visit", lambda: clinic.software.visit("card", upload=False))
    clinic.mistype()
    clinic.act("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("set aside", (shelves.queue, shelves.done, shelves.refused), (0, 0, 1))
    clinic.expect("with what the check says", ":" in "".join(shelves.findings[:1]), "place:code", shelves.findings)
    clinic.act("upload again", clinic.software.upload)
    clinic.equal("it is not sent again by itself", len(clinic.files()), 1)
    clinic.done("corrected", lambda: clinic.software.correct(identity=True))
    shelves = clinic.shelves()
    clinic.equal("then", (shelves.done, shelves.refused), (1, 0))
    kinds = [r.get("format") for r in clinic.records()]
    clinic.equal("formats of the two records", kinds, ["1", "3"] if version == "1.0" else ["A", "A"])
    dates = {r.get("birth_date") for r in clinic.records()}
    clinic.equal("the second has what was mended", len(dates), 2)
    clinic.equal("batches", len({r[7].get("batch") for r in clinic.requests("upload")}), 2)


@case("P-UPL-02", "P-UPL-08", nature=Nature.INOPPORTUNE, zh="已計入者不再上傳；擱置者不阻其後")
def test_record_that_counts_is_not_sent_again(clinic: ClinicTester) -> None:
    """What counts is not sent again, however often it is asked for; one that was set aside keeps none behind it from going."""
    for number in range(3):
        clinic.act(f"visit {number}", lambda: clinic.software.visit("card", upload=False))
        if number == 1:
            clinic.mistype()
        clinic.software.later(60)
    clinic.act("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("two count, one is set aside", (shelves.queue, shelves.done, shelves.refused), (0, 2, 1))
    before = len(clinic.requests("upload"))
    for _ in range(3):
        clinic.done("upload", clinic.software.upload)
    clinic.equal("nothing more was sent", len(clinic.requests("upload")), before)
    clinic.done("corrected", lambda: clinic.software.correct(identity=True))
    shelves = clinic.shelves()
    clinic.equal("all count", (shelves.queue, shelves.done, shelves.refused), (0, 3, 0))
    clinic.equal("files", len(clinic.files()), 4)


@case("P-UPL-02", "P-UPL-03", "P-UPL-08", nature=Nature.INVALID, zh="識別碼或簽章取不得：仍待送", each=lambda: {
    f"{how}-{fate.replace(' ', '-')}": Each((how, fate, code), f"By {how}; what the record lacks is answered by: {fate}.")
    for how, fate, code in (
        ("card", "refuses 9060", "9060"), ("ward", "lost", "0"), ("ward", "refuses 9060", "9060"),
        ("ward", "without signature", "9015"), ("ward", "odd signature", "9015"), ("ward", "odd entries", "9015"))
})
def test_record_that_lacks_something_waits_for_it(clinic: ClinicTester, value: tuple[str, str, str]) -> None:
    """A record whose identifier or signature the data centre does not give is not sent without it: it waits, and goes with it."""
    how, fate, code = value
    clinic.software.line_is([], down=how == "card")
    clinic.done("visit", lambda: clinic.software.visit(how, upload=False))
    clinic.requests()
    clinic.software.line_is([fate] * 2)
    clinic.equal("code", clinic.act("upload", clinic.software.upload).code, code)
    asked = [r[2] for r in clinic.requests() if r[2] not in ("begin-visit", "status-lists")]
    clinic.equal("no record was sent", [name for name in asked if name == "upload"], [])
    clinic.equal("it waits", clinic.shelves().queue, 1)
    clinic.software.line_is([])
    clinic.software.later(61)
    clinic.act("upload", clinic.software.upload)
    shelves = clinic.shelves()
    clinic.equal("then", (shelves.queue, shelves.done + shelves.refused), (0, 1))
    record = clinic.the_record()
    clinic.expect("with what it lacked", len(record.get("identifier")) == 20 and record.get("signature" if how == "ward" else
                  "identifier") != "", "identifier and signature", record)
