"""Attacks by readers: parties that are not what they say, and readers whose holder does not know of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.pki import READER_CERTIFICATE_H, Authority, Role
from virtual_devices.randomness import private_key
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.access_log import Deed
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.holder import LOCKED_AFTER, Verdict

from .attacks import Attack, Kind, Mark, Result, Table, consult, desk_for, later, medical, nothing_moved, presented, state_of
from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID, STRANGER
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

HOUR_NS = 3600 * NS
ROWS = Table("Readers that are not what they say, or that nobody asked for")
Spoil = Callable[[WalletBench, bool], None]
"""Gives the SAM (True) or the professional another certificate."""


def _chain(
    bench: WalletBench, sam: bool, *, authority: Authority = AUTHORITY, from_ns: int = NOW_NS,
    hours: float = READER_CERTIFICATE_H, role: Role | None = None, stolen: bool = False,
) -> None:
    image = (bench.sam if sam else bench.hpc).image
    key = private_key("a thief's").public_key() if stolen else image.identity.key.public_key()
    subject, organisation = (SAM_ID, INSTITUTION) if sam else (DOCTOR_ID, "")
    role = role or (Role.SAM if sam else Role.PHYSICIAN)
    chain = authority.renew(role, subject, key, from_ns, organisation=organisation, hours=hours)
    if sam:
        bench.desk.reader_chain = chain
    else:
        bench.desk.hpc_reader_chain = chain


BAD: dict[str, tuple[Spoil, str, str, str]] = {
    "of another root": (partial(_chain, authority=STRANGER), "9013", "4034", "forged"),
    "expired": (partial(_chain, from_ns=NOW_NS - (READER_CERTIFICATE_H + 1) * HOUR_NS), "9061", "9140", "expired"),
    "not yet valid": (partial(_chain, from_ns=NOW_NS + HOUR_NS), "9062", "9140", "not yet valid"),
    "of a year instead of 72 hours": (partial(_chain, hours=24 * 365), "9061", "9140", "expired"),
    "of another role": (partial(_chain, role=Role.DATA_CENTRE), "4032", "4034", "wrong role"),
    "stolen, without its key": (partial(_chain, stolen=True), "9013", "4034", "forged"),
}
"""Certificate -> how, the code for a SAM, the code for a professional, the phone's word."""


def _bad_party(how: Spoil, sam: bool) -> Result:
    """The SAM is bad: nothing at all leaves. The professional is bad: basic data only."""
    bench = desk_for(Use.TREATMENT if sam else Use.REGISTRATION)
    before = state_of(bench)
    how(bench, sam)
    try:
        shown = consult(bench)
    except Ended as e:
        assert sam and e.role == "sam"
        nothing_moved(bench, before)
        return Result(False, e.code)
    assert not sam and shown.value(vhc.BASIC, "name") == "王小明"
    return medical(shown)


def _both_parties() -> None:
    for kind, (how, sam_code, hpc_code, word) in BAD.items():
        for sam, code, who in ((True, sam_code, "SAM"), (False, hpc_code, "professional")):
            clause = "18013-5 9.1.4; 72 h" if "72" in kind else "18013-5 9.1.4"
            leaves = "nothing leaves" if sam else "basic data only"
            ROWS.put(Attack(
                f"{who.lower()}-{kind.replace(' ', '-').replace(',', '')}", f"a {who}'s certificate {kind}", Kind.REFUSED, code,
                f"{leaves}; the phone says {'SAM' if sam else 'HPC'}: {word}", clause,
                Mark.PROFILE if "72" in clause else Mark.STANDARD, partial(_bad_party, how, sam),
            ))


_both_parties()


@ROWS.add("a professional's card is missing", Kind.REFUSED, "4014", "basic data only; the phone says HPC: missing",
          "readerAuthAll", Mark.PROFILE)
def professional_missing() -> Result:
    return medical(consult(desk_for(Use.REGISTRATION), hpc=False))


@ROWS.add("a reader without a SAM's certificate", Kind.REFUSED, "4012", "the desk itself ends; nothing is sent",
          "18013-5 9.1.4")
def sam_missing() -> Result:
    bench = desk_for()
    bench.desk.reader_chain = ()
    return _ended(bench)


@ROWS.add("a reader outside medical care asks for medical data", Kind.REFUSED, "4029", "name and photograph at most",
          "elements and roles", Mark.PROFILE)
def reader_outside_medical_care() -> Result:
    bench = desk_for(Use.NON_MEDICAL)
    _chain(bench, True, role=Role.OTHER_USE)
    shown = consult(bench, hpc=False)
    assert shown.value(vhc.BASIC, "card_no") is None
    return medical(shown)


@ROWS.add("a SAM or professional that was revoked today, at a phone that has not been online", Kind.RECONCILED, "0",
          "served for 72 h at most; the holder's log names institution and professional", "72 h certificates", Mark.PROFILE)
def revoked_reader_at_an_offline_phone() -> Result:
    """Nobody has told the phone; its log has the parties, and the certificate ends by itself."""
    bench = desk_for()
    found = medical(consult(bench))
    entry = bench.phone.log.entries()[0]
    named = entry.deed is Deed.SHOWN and (entry.institution, entry.professional) == (INSTITUTION, DOCTOR_ID)
    later(bench, (READER_CERTIFICATE_H + 1) * HOUR_NS)
    afterwards = _ended(bench)
    assert (afterwards.succeeded, afterwards.code) == (False, "9061")
    return Result(found.succeeded, found.code, evidence=named)


# -- skimming, and guessing

def _ended(bench: WalletBench) -> Result:
    before = state_of(bench)
    try:
        found = medical(consult(bench))
    except Ended as e:
        nothing_moved(bench, before)
        return Result(False, e.code)
    return found


@ROWS.add("skimming: a true desk taps a phone in a pocket", Kind.REFUSED, "5109", "consent needed; no document leaves",
          "consent", Mark.PROFILE)
def skimmed_without_consent() -> Result:
    bench = desk_for()
    bench.people.willing = False
    return _ended(bench)


@ROWS.add("skimming: a tap after the armed minute is over", Kind.REFUSED, "5109", "consent needed; no document leaves",
          "consent, 60 s", Mark.PROFILE)
def skimmed_after_the_armed_minute() -> Result:
    return _skimmed(lambda bench: later(bench, 60 * NS))


@ROWS.add("skimming: the phone was armed, and locked again", Kind.REFUSED, "5109", "consent needed; no document leaves",
          "consent", Mark.PROFILE)
def skimmed_while_locked() -> Result:
    return _skimmed(lambda bench: bench.phone.consent.lock_screen())


def _skimmed(then: Callable[[WalletBench], None]) -> Result:
    bench = desk_for()
    bench.people.willing = False
    now_ns = bench.clock.now_ns()
    bench.phone.holder.enter_pin(PHONE_PIN, now_ns)
    assert bench.phone.arm(Use.TREATMENT, EVERYTHING, now_ns)
    then(bench)
    return _ended(bench)


@ROWS.add("skimming: a second tap within the armed minute", Kind.REFUSED, "5109",
          "the consent was for one session and is used up", "consent", Mark.PROFILE)
def skimmed_after_the_holders_own_tap() -> Result:
    bench = desk_for()
    assert medical(consult(bench)).succeeded
    bench.people.willing = False
    return _ended(bench)


@ROWS.add("armed for registration, and a physician asks", Kind.REFUSED, "5109", "the holder is asked on the phone",
          "consent for a use", Mark.PROFILE)
def more_than_was_armed() -> Result:
    bench = desk_for(Use.REGISTRATION)
    return _ended(bench)


@ROWS.add("following a phone by what it says before anybody is proved", Kind.REFUSED, "",
          "each tap is a new engagement with another key; nothing else is said", "18013-5 8.2.1")
def tracking_by_engagements() -> Result:
    bench = desk_for()
    keys = set()
    for _ in range(4):
        presented(bench, lambda opened, _: _note(keys, opened.engaged.engagement.raw))
    return Result(len(keys) < 4)


def _note(keys: set[bytes], raw: bytes):  # type: ignore[no-untyped-def]
    keys.add(raw)
    yield from ()


@ROWS.add("guessing the PIN on a phone that was found", Kind.REFUSED, "5109", "delays from the 5th try, locked at the 9th",
          "holder's PIN", Mark.PROFILE)
def pin_guessed_on_the_phone() -> Result:
    bench = desk_for()
    bench.people.willing = False
    made, tries = bench.phone, 0
    while (found := made.holder.enter_pin(f"{7000 + tries}", bench.clock.now_ns())).verdict is not Verdict.LOCKED:
        assert found.verdict in (Verdict.WRONG, Verdict.WAIT, Verdict.LOCKED) and tries < 99
        tries += found.verdict is Verdict.WRONG
        later(bench, found.wait_ns)
    assert tries <= LOCKED_AFTER and made.holder.enter_pin(PHONE_PIN, bench.clock.now_ns()).verdict is Verdict.LOCKED
    assert not made.arm(Use.TREATMENT, EVERYTHING, bench.clock.now_ns())
    return _ended(bench)

