"""A clinic's home visits: what is taken along, and how the patient is recognised without a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.clinic import ClinicTester
from conformance.town import HOLDER
from conformance.vectors.world import CARD_NO
from virtual_devices import cose
from virtual_devices.clock import NS
from virtual_devices.home_package import HomePackage, HomePerson
from virtual_devices.pki import Identity, Role

IDENTITY = f"{HOLDER.holder.id_no:<10}{HOLDER.holder.birth_roc}".encode()


def _package(clinic: ClinicTester, **change: object) -> HomePackage:
    holder = HOLDER.holder
    now_ns = clinic.now_ns
    made = HomePackage(
        bytes(16), clinic.clinic.institution, clinic.clinic.professional_id, "home-care", now_ns, now_ns + 3600 * NS,
        HomePerson(CARD_NO, holder.name, holder.id_no, holder.birth_roc, holder.sex), "0", "1160101",
    )
    return replace(made, **change)  # type: ignore[arg-type]


@case("P-HOM-02", "P-HOM-03", nature=Nature.VALID, zh="居家：攜帶資料，離線辨識病人", when="home_visits")
def test_patient_is_recognised_at_home_without_a_line(clinic: ClinicTester) -> None:
    """The package is taken along under the professional's signature; at the home card and package agree, without a line."""
    clinic.done("take along", lambda: clinic.software.take_along(8))
    clinic.software.line_is([], down=True)
    clinic.done("at home", lambda: clinic.software.at_home(IDENTITY))
    wrong = IDENTITY[:-1] + b"5"
    clinic.equal("another person's card", clinic.act("at home", lambda: clinic.software.at_home(wrong)).code, "5020")
    other = clinic.act("at home", lambda: clinic.software.at_home(IDENTITY, "B123456789"))
    clinic.equal("another professional", other.code, "5152")
    done = clinic.done("visit", lambda: clinic.software.visit("card"))
    clinic.equal("the visit is recorded, and waits", (done.identifier, clinic.shelves().queue), ("", 1))


@case("P-HOM-02", nature=Nature.TIMER, zh="出訪資料逾時：不得再用", when="home_visits")
def test_package_is_of_no_use_after_its_time(clinic: ClinicTester) -> None:
    """A package is used until its end, and no longer; one that was never taken is none."""
    clinic.equal("none", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "9012")
    clinic.done("take along", lambda: clinic.software.take_along(8))
    clinic.software.later(8 * 3600 - 1)
    clinic.done("a second before its end", lambda: clinic.software.at_home(IDENTITY))
    clinic.software.later(1)
    clinic.equal("at its end", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "1059")
    clinic.equal("for more than a day", clinic.act("take along", lambda: clinic.software.take_along(25)).code, "9002")
    for fate, code in (("refuses 9060", "9060"), ("without package", "9002"), ("odd package", "9002")):
        clinic.software.line_is([fate] * 8)
        clinic.equal(fate, clinic.act("take along", lambda: clinic.software.take_along(8)).code, code)
    clinic.software.line_is([], down=True)
    clinic.equal("without a line", clinic.act("take along", lambda: clinic.software.take_along(8)).code, "4061")


@case("P-HOM-02", nature=Nature.TIMER, zh="資料中心憑證到期：出訪資料不再採信", when="home_visits")
def test_package_is_believed_as_long_as_its_signer(clinic: ClinicTester) -> None:
    """A package is of no use once the certificate of the data centre that signed it is over, though its own time is not."""
    key = clinic.world.centre.key
    chain = clinic.world.authority.renew(Role.DATA_CENTRE, "data centre", key.public_key(), clinic.now_ns - 1800 * NS, hours=1)
    raw = _package(clinic).sign(Identity(key, chain))
    clinic.done("put in bag", lambda: clinic.software.put_in_bag(raw))
    clinic.done("at home", lambda: clinic.software.at_home(IDENTITY))
    clinic.software.later(1900)
    clinic.equal("after it", clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code, "9012")


def _packages() -> dict[str, Each]:
    return {
        "stranger": Each(("stranger", {}, "9015"), "Signed by a data centre of another root.", "他根資料中心簽署",
                         nature=Nature.ATTACK),
        "by-sam": Each(("sam", {}, "9015"), "Signed by a security module.", "安全模組簽署", nature=Nature.ATTACK),
        "altered": Each(("altered", {}, "9015"), "The last bit of the signature is turned over.", "簽章竄改",
                        nature=Nature.ATTACK),
        "noise": Each(("noise", {}, "9002"), "No message.", "非訊息"),
        "another-institution": Each(("", {"institution": "8801180014"}, "5152"), "For another institution.", "他院所",
                                    nature=Nature.ATTACK),
        "over": Each(("", {"from_ns": -7200, "until_ns": -3600}, "1059"), "Its time is over.", "逾時"),
        "at-its-end": Each(("", {"from_ns": -3600, "until_ns": 0}, "1059"), "Its time is over now.", "正好逾時",
                           nature=Nature.LIMIT),
        "at-its-beginning": Each(("", {"from_ns": 0, "until_ns": 3600}, "0"), "Its time begins now.", "正好開始",
                                 nature=Nature.LIMIT),
        **{name: Each((name, {}, "9002"), says) for name, says in (
            ("version-2", "Of another version."), ("no-person", "Without a person."),
            ("short-person", "A person without a sex."), ("number-for-a-name", "A number for a name."),
            ("too-long", "For more than a day."), ("purpose", "For another purpose."), ("a-list", "A list."))},
        "not-yet": Each(("", {"from_ns": 3600, "until_ns": 7200}, "1059"), "Its time has not begun.", "尚未開始"),
    }


@case("P-HOM-02", nature=Nature.INVALID, zh="不可用之出訪資料", when="home_visits", each=_packages)
def test_package_is_not_used(clinic: ClinicTester, value: tuple[str, dict[str, object], str]) -> None:
    """A package that the data centre did not sign, is another institution's, or is not of now, is not taken."""
    how, change, code = value
    moved = {n: clinic.now_ns + int(str(v)) * NS if n.endswith("_ns") else v for n, v in change.items()}
    world = clinic.world
    by: Identity = {
        "stranger": world.stranger.issue(Role.DATA_CENTRE, "data centre"), "sam": world.authority.issue(Role.SAM, "SAM000000009"),
    }.get(how, world.centre)
    raw = _otherwise(_package(clinic, **moved).sign(by), how, by)
    if how == "altered":
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    if how == "noise":
        raw = b"\xff" * 20
    clinic.equal("code", clinic.act("put in bag", lambda: clinic.software.put_in_bag(raw)).code, code)
    found = clinic.act("at home", lambda: clinic.software.at_home(IDENTITY)).code
    clinic.equal("at home", found, "0" if code == "0" else "9012")


def _otherwise(raw: bytes, how: str, by: Identity) -> bytes:
    """The package with something in it that should not be, signed all the same."""
    said: Any = cose.decode(raw).payload_map()
    person = said[7]
    match how:
        case "version-2":
            said[1] = 2
        case "no-person":
            del said[7]
        case "short-person":
            said[7] = person[:4]
        case "number-for-a-name":
            said[7] = [person[0], 7, *person[2:]]
        case "too-long":
            said[6] = said[5] + 86_401 * NS
        case "purpose":
            said[4] = "curiosity"
        case "a-list":
            said = [said]
        case _:
            return raw
    return cose.sign1(by.key, cbor2.dumps(said, canonical=True), {cose.X5CHAIN: list(by.chain)})
