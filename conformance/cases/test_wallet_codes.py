"""The codes on a wallet's screen: the card's, for everybody or for one reader, and those of prescriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import load_der_x509_certificate

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, Contents, WalletTester
from conformance.records import DRUG, Pen
from conformance.references.wallet import ward_name
from conformance.town import clinic
from conformance.vectors.codes import READER
from conformance.vectors.world import GUARDIAN_NO, NOW_NS
from conformance.vectors.writing import Writer
from virtual_devices import base45
from virtual_devices.authorization import EVERYTHING as WHOLE
from virtual_devices.authorization import Scope
from virtual_devices.clock import NS
from virtual_devices.cose import ALG, ES256, KCWT, SIGN1_TAG, TYP
from virtual_devices.qr import card, parts, prescription
from virtual_devices.qr.card import PERIOD_S
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.parts import COMFORTABLE_CHARACTERS, MAX_PARTS, Added, Collector
from virtual_devices.qr.text import CARD, CHALLENGE, PART, MalformedCode
from virtual_devices.wallet.codes import NAMES
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import WriteOutcome, holder_of

SCREEN = ("ble",)
"""A wallet met over Bluetooth has a screen; one of them is enough."""
VERSION_18, VERSION_19 = 816, 909
"""Characters that a picture of these versions holds, level M, alphanumeric mode (ISO/IEC 18004, table 7)."""
STATUS_ADDRESS, NAME = len("urn:nhi:bench:status/0"), 9
"""Bytes of the status list's address and of a name of three characters, with which P-QRC-13 reckons."""
ALPHANUMERIC = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def _agreed(wallet: WalletTester) -> None:
    """The holder has agreed to what a code tells; who signs it is known, so that nothing else comes between."""
    wallet.signer()
    wallet.holder.agree(Use.REGISTRATION, NAMES, write=False)


def _code(wallet: WalletTester, challenge: str = "") -> str:
    """The code on the screen; that there is one is a check."""
    text = wallet.made_up("code").code(challenge)
    wallet.expect("a code on the screen", bool(text), "a code", "none")
    return text


def _read(wallet: WalletTester, text: str) -> card.Shown:
    """A code taken apart, its two signatures verified; that both hold is a check."""
    try:
        shown = card.read(text)
    except MalformedCode as e:
        wallet.expect("the code can be read", False, "a card's code", e.what)
        raise AssertionError("unreachable") from None
    signer = wallet.signer()
    wallet.equal("who signed the inner part", shown.kid, card.key_id(signer))
    key = load_der_x509_certificate(signer).public_key()
    holds = isinstance(key, EllipticCurvePublicKey) and shown.inner.verify(key)
    wallet.expect("the issuer's signature holds", holds, "a signature by that key", "another")
    wallet.expect("the phone's signature holds", shown.outer.verify(shown.holder_key))
    return shown


# -- the card's code

@case("P-QRT-02", "P-QRC-04", "P-QRC-05", nature=Nature.VALID, zh="卡片條碼：字元、外層與內層之形式", channels=SCREEN)
def test_code_is_as_its_rule(wallet: WalletTester) -> None:
    """The code is Base45 of zlib after its prefix; its outer part is for one showing, and neither part has a header too many."""
    _agreed(wallet)
    text = _code(wallet)
    wallet.expect("characters of the alphanumeric mode", set(text) <= ALPHANUMERIC, "A to Z, 0 to 9, $%*+-./:", text)
    wallet.equal("prefix", text[: len(CARD)], CARD)
    shown = _read(wallet, text)
    outer, inner = shown.outer, shown.inner
    wallet.equal("outer headers", (set(outer.header), dict(outer.unprotected)), ({ALG, KCWT, TYP}, {}))
    wallet.equal("algorithm and type", (outer.header[ALG], outer.header[TYP]), (ES256, card.MEDIA_TYPE))
    wallet.equal("tag of the inner part", outer.header[KCWT].tag, SIGN1_TAG)
    wallet.equal("inner headers", (set(inner.header), dict(inner.unprotected)), ({ALG, 4}, {}))
    claims = shown.wrapper.values
    wallet.equal("claims of the outer part", set(claims), {4, 6, 7})
    wallet.expect("it lives 1 to 60 s", 1 <= claims[4] - claims[6] <= card.LIFETIME_S, "1 to 60", claims[4] - claims[6])
    wallet.equal("bytes of its id", len(claims[7]), card.ID_BYTES)


@case("P-QRC-04", "P-QRC-09", "P-QCH-01", nature=Nature.VALID, zh="讀取挑戰碼：條碼只給該讀取者", channels=SCREEN)
def test_code_answers_a_challenge(wallet: WalletTester) -> None:
    """With a reader's challenge the code names that reader and its nonce; the next challenge gets another code."""
    for number in range(2):
        challenge = new_challenge(READER, wallet.world.fresh("challenge", wallet.name, number))
        _agreed(wallet)
        shown = _read(wallet, _code(wallet, challenge.to_text()))
        said = shown.wrapper.values.get(3), shown.wrapper.values.get(10)
        wallet.equal("reader and nonce", said, (challenge.reader, challenge.nonce))
        wallet.made_up().restart()


def _challenges() -> Mapping[str, Each]:
    def text(reader: object, nonce: object, *more: object) -> str:
        return CHALLENGE + base45.encode(cbor2.dumps([reader, nonce, *more]))

    def longest(array: bytes) -> str:
        """All that a challenge may hold; ``array``: the head of its array, in more bytes than it takes."""
        whole: bytes = array + cbor2.dumps("𠀀" * 64) + cbor2.dumps(bytes(32))
        return CHALLENGE + base45.encode(whole)

    right, wrong = Nature.LIMIT, Nature.INVALID
    found: tuple[tuple[str, str, bool, str, str, Nature], ...] = (
        ("reader-64", text("讀" * 64, bytes(32)), True, "A reader of 64 characters, 32 bytes of nonce", "讀取者 64 字元", right),
        ("reader-65", text("r" * 65, bytes(12)), False, "A reader of 65 characters", "讀取者 65 字元", right),
        ("reader-empty", text("", bytes(12)), False, "No reader", "沒有讀取者", right),
        ("nonce-8", text("r", bytes(8)), True, "A nonce of 8 bytes", "亂數 8 位元組", right),
        ("nonce-7", text("r", bytes(7)), False, "A nonce of 7 bytes", "亂數 7 位元組", right),
        ("nonce-33", text("r", bytes(33)), False, "A nonce of 33 bytes", "亂數 33 位元組", right),
        ("three-parts", text("r", bytes(12), 0), False, "Three parts", "三個部分", wrong),
        ("nonce-text", text("r", "nonce nonce"), False, "A nonce that is a text", "亂數是文字", wrong),
        ("reader-bytes", text(b"r", bytes(12)), False, "A reader that is bytes", "讀取者是位元組", wrong),
        ("no-array", CHALLENGE + base45.encode(cbor2.dumps({"r": 0, bytes(12): 0})), False, "What is no array", "不是陣列",
         wrong),
        ("no-base45", CHALLENGE + "a", False, "What is no Base45", "不是 Base45", wrong),
        ("other-code", CARD + base45.encode(cbor2.dumps(["r", bytes(12)])), False, "Another kind of code", "別種條碼", wrong),
        ("no-cbor", CHALLENGE + base45.encode(b"\xff\xff"), False, "What is no CBOR", "不是 CBOR", wrong),
        ("longest", longest(b"\x98\x02"), True, "448 characters", "448 字元", right),
        ("too-long", longest(b"\x99\x00\x02"), False, "449 characters", "449 字元", right),
    )
    return {name: Each((raw, taken), says, zh, nature=nature) for name, raw, taken, says, zh, nature in found}


@case("P-QCH-01", "P-GEN-08", nature=Nature.LIMIT, zh="挑戰碼之界限", channels=SCREEN, each=_challenges)
def test_challenge_has_limits(wallet: WalletTester, tried: tuple[str, bool]) -> None:
    """A challenge within its limits is answered; another text gets no code, and the card's own is shown after it."""
    text, taken = tried
    _agreed(wallet)
    found = wallet.made_up("code").code(text)
    wallet.equal("a code for it", bool(found), taken)
    if not taken:
        _read(wallet, _code(wallet))


@case("P-QRC-10", nature=Nature.TIMER, zh="每 20 秒換一個條碼，各有效 60 秒", channels=SCREEN)
def test_code_changes_before_it_dies(wallet: WalletTester) -> None:
    """Twenty seconds on there is another code, and the one before is still good."""
    _agreed(wallet)
    first = _read(wallet, _code(wallet))
    wallet.wait(PERIOD_S, over=True)
    second = _read(wallet, _code(wallet))
    wallet.expect("another showing", first.code_id != second.code_id, "two ids", "one")
    left_s = first.wrapper.values[4] - second.wrapper.values[6]
    wallet.expect("the former one is good when it is replaced", left_s > 0, "a while", left_s)


@case("P-QRC-11", nature=Nature.INOPPORTUNE, zh="未經同意不出示條碼；同意及於接續之條碼", channels=SCREEN)
def test_code_waits_for_the_holder(wallet: WalletTester) -> None:
    """Without consent there is no code; consent lasts for those that follow one another, and not beyond the screen."""
    screen = wallet.made_up("code")
    wallet.equal("a code that nobody agreed to", screen.code(), "")
    wallet.holder.approve(Use.REGISTRATION, proved=False)
    wallet.equal("a code agreed to without a proof", screen.code(), "")
    wallet.holder.approve(Use.REGISTRATION)
    _code(wallet)
    wallet.wait(PERIOD_S, over=True)
    _code(wallet)
    wallet.reach(None)  # something else is on the screen now
    wallet.equal("a code after it", screen.code(), "")


@case("P-QRC-11", nature=Nature.ATTACK, zh="同意須及於條碼之全部內容", channels=SCREEN)
def test_code_takes_consent_to_all_of_it(wallet: WalletTester) -> None:
    """Consent to a part of what the code tells, or for another use, is none."""
    screen = wallet.made_up("code")
    part = {space: names[:-1] for space, names in NAMES.items()}
    wallet.holder.agree(Use.REGISTRATION, part, write=False)
    wallet.equal("a code with a part agreed to", screen.code(), "")
    screen.restart()
    wallet.holder.agree(Use.TREATMENT, NAMES, write=False)
    wallet.equal("a code agreed to for another use", screen.code(), "")


# -- a ward's

@case("P-QRC-12", nature=Nature.VALID, zh="受代理人之條碼：載明代理人、授權範圍與用途", channels=SCREEN)
def test_wards_code_names_the_guardian(wallet: WalletTester) -> None:
    """A ward's code says under which authorization who shows it, how far it goes and until when."""
    ends_ns = NOW_NS + 3600 * NS
    wallet.made_up().fill(Contents(scope=WHOLE, ends_ns=ends_ns))
    _agreed(wallet)
    shown = _read(wallet, _code(wallet))
    guardian = shown.data.guardian
    wallet.expect("datum 10", guardian is not None, "the guardian", "none")
    assert guardian is not None
    wallet.equal("guardian's card and scope", (guardian.card_no, guardian.scope), (GUARDIAN_NO, WHOLE))
    wallet.expect("whom records are for", len(shown.data.device) == 32, "32 bytes", shown.data.device)
    ends_s = (ends_ns - NOW_NS + wallet.world.now_ns) // NS
    wallet.expect("it ends with the authorization", shown.card.values[4] <= ends_s, ends_s, shown.card.values[4])


@case("P-QRC-12", nature=Nature.TIMER, zh="授權到期或不及於掛號：不出示條碼", channels=SCREEN, each=lambda: {
    "before": Each((WHOLE, False), "Before its end", "到期前"), "over": Each((WHOLE, True), "After its end", "到期後"),
    "beyond": Each((frozenset({Scope.WRITE}), False), "It does not reach to registering", "不及於掛號", nature=Nature.ATTACK),
})
def test_wards_code_ends_with_the_authorization(wallet: WalletTester, tried: tuple[frozenset[Scope], bool]) -> None:
    """A ward's code is shown while the authorization lasts and reaches to registering, and then no more."""
    scope, over = tried
    wallet.made_up().fill(Contents(scope=scope, ends_ns=NOW_NS + 100 * NS))
    wallet.wait(100, over=over)
    _agreed(wallet)
    wallet.equal("a code", bool(wallet.made_up().code()), scope == WHOLE and not over)


@case("P-QRC-13", nature=Nature.LIMIT, zh="條碼長度", channels=SCREEN, each=lambda: {
    "own": Each((False, False, VERSION_18)), "own-challenge": Each((False, True, VERSION_18)),
    "ward": Each((True, False, VERSION_19)), "ward-challenge": Each((True, True, VERSION_19)),
})
def test_code_is_no_longer_than_said(wallet: WalletTester, tried: tuple[bool, bool, int]) -> None:
    """A code of a name of three characters fits into one picture: of version 18-M, of a ward's 19-M."""
    ward, challenged, most = tried
    if ward:
        wallet.made_up().fill(Contents(scope=WHOLE))
    _agreed(wallet)
    challenge = new_challenge(READER, wallet.world.fresh("challenge", wallet.name)).to_text() if challenged else ""
    text = _code(wallet, challenge)
    most += ceil(max(0, _beyond(_read(wallet, text))) * 3 / 2)
    wallet.expect("characters", len(text) <= most, most, len(text))


def _beyond(shown: card.Shown) -> int:
    """Bytes by which names and the status list's address, which are their issuer's, are longer than the clause reckons with."""
    names = [shown.data.name] + ([shown.data.guardian.name] if shown.data.guardian is not None else [])
    address = len(shown.card.status.uri) if shown.card.status is not None else 0
    return address - STATUS_ADDRESS + sum(len(name.encode()) - NAME for name in names)


@case("P-DOC-04", "P-AUT-09", "P-CON-10", nature=Nature.INOPPORTUNE, zh="一機多卡：只出示選定之卡，改選即收回同意")
def test_chosen_card_is_the_one_that_is_shown(wallet: WalletTester) -> None:
    """Of several cards a reader meets the chosen one; when another is chosen the session is over and the consent taken back."""
    screen = wallet.made_up("fill", "choose")
    screen.fill(Contents(wards=2))
    own = _number(wallet)
    seen = [own]
    for number in (1, 2):
        before = wallet.meet(Use.REGISTRATION)
        first = wallet.request(before, wallet.asked(before, REGISTRATION), "registration")
        wallet.equal("documents before", len(first.documents), 1)
        screen.choose(ward_name(number))
        again = wallet.later(before, wallet.asked(before, REGISTRATION))
        after = wallet.data(wallet.send(before, again, "in the former session"))
        wallet.expect("no data in the former session", after.data is None, "a status alone", "data")
        opened = wallet.meet(None)
        wallet.nothing(wallet.request(opened, wallet.asked(opened, REGISTRATION), "without consent"), -2)
        seen.append(_number(wallet))
    wallet.equal("cards shown", len(set(seen)), 3)


def _number(wallet: WalletTester) -> str:
    """The number of the card that is shown now, alone."""
    opened = wallet.meet(Use.REGISTRATION)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    return str(wallet.shown(opened, answer).get("tw.nhi.bench.basic.1", {}).get("card_no"))


@case("P-CON-10", nature=Nature.INOPPORTUNE, zh="重新開機：先前之同意作廢")
def test_start_ends_every_consent(wallet: WalletTester) -> None:
    """What was armed is over after the wallet has been switched off and on."""
    screen = wallet.made_up("restart")
    wallet.holder.agree(Use.REGISTRATION, NAMES)
    screen.restart()
    opened = wallet.meet(None)
    wallet.nothing(wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration"), -2)


# -- prescriptions

@case("P-QRX-01", "P-QRX-03", "P-QMP-01",
      nature=Nature.VALID, zh="處方箋條碼：即回寫之紀錄；過長即分段", channels=SCREEN, destructive=True,
      each=lambda: {"one-order": Each(1), "sixty-orders": Each(60, nature=Nature.LIMIT)})
def test_prescription_is_shown_as_it_was_written(wallet: WalletTester, orders: int) -> None:
    """A prescription's code is the record that was written back; where it is too long, 2 to 16 parts make it."""
    screen = wallet.made_up("prescriptions")
    opened = wallet.meet()
    writer = Writer(wallet.holding(wallet.shown_card(opened)))
    pen = Pen(clinic(wallet.world), wallet.world, holder_of(writer.world.device_key))
    entries = tuple(replace(DRUG, item_code=f"AC{number:08d}") for number in range(orders))
    raw = pen.sign(pen.prescription(wallet.clock.now_ns(), entries=entries).record())
    wallet.settled(opened, writer.batch(raw).to_bytes(), WriteOutcome.STORED)
    shown = screen.prescriptions()
    wallet.equal("prescriptions", len(shown), 1)
    text = _whole(wallet, shown[0])
    try:
        found, signed = prescription.read(text)
    except MalformedCode as e:
        wallet.expect("the code can be read", False, "a prescription", e.what)
        raise AssertionError("unreachable") from None
    wallet.equal("the record in the code", signed.to_bytes(), raw)
    wallet.equal("orders", len(found.entries), orders)


def _whole(wallet: WalletTester, texts: list[str]) -> str:
    """The single code, or what its parts make; that they make it, and are as their rule has them, is a check."""
    if len(texts) == 1:
        wallet.expect("one code is not too dense", len(texts[0]) <= COMFORTABLE_CHARACTERS, COMFORTABLE_CHARACTERS, len(texts[0]))
        return texts[0]
    wallet.expect("2 to 16 parts", 2 <= len(texts) <= MAX_PARTS, "2 to 16", len(texts))
    wallet.equal("prefixes", {text[: len(PART)] for text in texts}, {PART})
    wallet.equal("numbers", [parts.read_part(text).number for text in texts], list(range(len(texts))))
    collector = Collector()
    wallet.equal("the last part", [collector.add(text) for text in texts][-1], Added.COMPLETE)
    assert collector.whole is not None
    return collector.whole


