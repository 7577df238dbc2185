"""Monikers: how a device is named, everywhere the same. ``MEDIUM:WHERE``, or a word by itself.

    virtual                    the bench's own reference device
    auto                       of a run's card and wallet: whatever is attached, as it comes and goes; the reference device
                               meanwhile
    pcsc:ACS*                  a card, or a phone, in a PC/SC reader: its name, with * and ?
    nfc:usb, nfc:udp:HOST:PORT a phone or a card at an NFC device that no PC/SC service drives
    nfc:own                    of a run's wallet: each patient's own phone, presented and met over NFC on this computer
    ble:NAME-or-ADDRESS        a phone over Bluetooth Low Energy, whose code is scanned first, "qr:PATH + ble:NAME", or which is
                               tapped first, "nfc:PATH + ble:NAME"
    vpcd:HOST:PORT             of conform only: the slot of a virtual PC/SC reader, in which our card lies before a reader
    qr:PATH                    codes in a picture, or in a folder that a camera writes to
    https://HOST:PORT          a service over the network
    http://HOST:PORT           of conform only: the kit of control software, which the field has in clear on its own computer
    program:COMMAND            of conform only: a program that is asked line by line (bench.reach.program)
    hands                      of conform only: a clinic's software, whose people are persons who are told what to do
    replay:RUN                 what a run directory holds, byte for byte

:data:`ROLES` says which make sense for which role. docs/reference/monikers.md is the page for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from virtual_devices.errors import UsageError


class Kind(Enum):
    """What a moniker begins with. Those with a driver are called as its module, ``vpcd`` as its presenter."""

    VIRTUAL = "virtual"
    AUTO = "auto"
    PCSC = "pcsc"
    NFC = "nfc"
    VPCD = "vpcd"
    BLE = "ble"
    QR = "qr"
    HTTP = "http"
    CLEAR = "clear"
    PROGRAM = "program"
    HANDS = "hands"
    REPLAY = "replay"


_NEEDS: Mapping[Kind, str] = {
    Kind.PCSC: "pcsc:NAME (a reader's name, with * and ?)",
    Kind.NFC: "nfc:usb, nfc:tty:DEVICE, nfc:udp:HOST:PORT or nfc:own (of a run's wallet: patients' own phones)",
    Kind.VPCD: "vpcd: or vpcd:HOST:PORT (the slot of a virtual PC/SC reader)",
    Kind.BLE: "ble:, ble:hci0, ble:NAME, ble:ADDRESS or ble:bumble:TRANSPORT",
    Kind.QR: "qr:PATH (a picture, or a folder of pictures)",
    Kind.PROGRAM: "program:COMMAND (a program, asked line by line)",
    Kind.REPLAY: "replay:RUN (a run directory)",
}
_WORDS = {
    Kind.VIRTUAL: "virtual", Kind.AUTO: "auto", Kind.HANDS: "hands", Kind.HTTP: "https://HOST:PORT",
    Kind.CLEAR: "http://HOST:PORT", **_NEEDS,
}
_ADDRESSES = {"https": Kind.HTTP, "http": Kind.CLEAR}
_USUAL = tuple(kind for kind in Kind if kind not in (Kind.CLEAR, Kind.HANDS))
"""What stands for a device where nothing else is said: an address in clear is one of few, and so are persons at a keyboard."""
_ANYWHERE = (Kind.BLE, Kind.VPCD)
"""What need not be said where: whoever shows the code is found by it; the driver's usual port."""
_ATTACHED = (Kind.PCSC, Kind.NFC, Kind.BLE)
"""What 'vhc-bench devices' lists."""
_OF_CONFORM = (Kind.VPCD, Kind.CLEAR, Kind.PROGRAM, Kind.HANDS)
OWN = "own"
"""Behind ``nfc:``: each patient's own phone."""
JOINED = " + "
"""Between the two of a phone that is engaged by its code or a tap before it is reached over Bluetooth."""

ROLES: Mapping[str, tuple[Kind, ...]] = {
    "card": (Kind.VIRTUAL, Kind.AUTO, Kind.PCSC, Kind.NFC, Kind.REPLAY),
    "wallet": (Kind.VIRTUAL, Kind.AUTO, Kind.PCSC, Kind.NFC, Kind.BLE, Kind.QR, Kind.REPLAY),
    "sam": (Kind.VIRTUAL, Kind.PCSC, Kind.REPLAY),
    "hpc": (Kind.VIRTUAL, Kind.PCSC, Kind.REPLAY),
    "cloud": (Kind.VIRTUAL, Kind.REPLAY),
}
"""Role -> what may stand behind it."""
_BY_NAME = ("; which of the cards attached is {a} no answer to reset tells, so nobody looks for one: name its reader, pcsc:NAME; "
            "'vhc-bench devices' lists them")
_WHY_NOT: Mapping[tuple[str, Kind], str] = {
    ("sam", Kind.AUTO): _BY_NAME, ("hpc", Kind.AUTO): _BY_NAME,
    ("cloud", Kind.AUTO): "; no data centre is attached to a computer, and a scenario has its own: leave --cloud away",
    ("cloud", Kind.HTTP): (
        "; a scenario has its own data centre ('virtual'): its day passes in seconds, and a served one believes no request a "
        "quarter of an hour off its clock; its cards are of its own authority; its laws look into the books. A served one is for "
        "your own software: docs/how-to/point-your-software-at-the-data-centre.md"
    ),
}
"""Role and what was given for it -> why that cannot be."""


@dataclass(frozen=True, slots=True)
class Moniker:
    """One device's name. ``where``: the moniker without its medium, empty for a word by itself."""

    kind: Kind
    where: str = ""

    @property
    def real(self) -> bool:
        """Whether something outside the bench may answer, in the time of the wall clock."""
        return self.kind not in (Kind.VIRTUAL, Kind.REPLAY)

    def __str__(self) -> str:
        if self.kind in _ADDRESSES.values():
            return self.where
        return f"{self.kind.value}:{self.where}" if self.where or self.kind in _ANYWHERE else self.kind.value


VIRTUAL = Moniker(Kind.VIRTUAL)
OWN_PHONES = Moniker(Kind.NFC, OWN)
FIRST_SLOT = ("127.0.0.1", 35963)
"""Of the package vsmartcard-vpcd as it is installed."""


def parse(text: str, allowed: Iterable[Kind] = _USUAL) -> Moniker:
    """Raises UsageError: what stands there instead, what may (those ``allowed`` are named), and what was probably meant."""
    name, colon, where = text.partition(":")
    if name in _ADDRESSES and where.startswith("//"):
        address = _ADDRESSES[name]
        if (address is Kind.CLEAR and address not in allowed) or len(where) < 3:
            raise UsageError(f"{text!r} is no address of a service: https://HOST:PORT")
        return Moniker(address, text)
    kind = next((k for k in Kind if k.value == name and k not in _ADDRESSES.values()), None)
    if kind is None:
        raise UsageError(f"{text!r} is no moniker of a device: {_guess(text)}give {_listed(allowed)}")
    if kind not in _NEEDS:
        if colon:
            raise UsageError(f"{text!r}: {kind.value!r} stands alone; did you mean {kind.value!r}?")
        return Moniker(kind)
    if not where and kind not in _ANYWHERE:
        there = "; 'vhc-bench devices' lists what is there" if kind in _ATTACHED else ""
        raise UsageError(f"{text!r} names no device: {_NEEDS[kind]}{there}")
    if kind is Kind.VPCD:
        slot(where)
    return Moniker(kind, where)


def slot(where: str) -> tuple[str, int]:
    """Host and port of ``vpcd:``: where the driver of a virtual PC/SC reader listens; empty: the first slot. Raises UsageError"""
    host, _, port = where.rpartition(":")
    if not where:
        return FIRST_SLOT
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"'vpcd:{where}' is no slot: vpcd:HOST:PORT, where the driver vsmartcard-vpcd listens, or vpcd: for its "
                         f"first one, {FIRST_SLOT[0]}:{FIRST_SLOT[1]}")
    return host, int(port)


def for_role(role: str, text: str, given: str = "") -> tuple[Moniker, ...]:
    """The moniker of a role: one, or for a wallet over Bluetooth that of its code or of the tap, and the phone's. ``given``: how
    it stood on the command line, ``--ROLE TEXT`` when left out. Raises UsageError."""
    allowed, given = ROLES[role], given or f"--{role} {text!r}"
    found = tuple(parse(part, allowed) for part in text.split(JOINED))
    for one in found:
        if one.kind not in allowed or (one == OWN_PHONES and role != "wallet"):
            raise UsageError(f"{given}: {_a(role)} is given as {_listed(allowed)}{_elsewhere(one, role)}")
    kinds = tuple(sorted(one.kind.value for one in found))
    if kinds in (("ble",), ("qr",)) or (len(found) > 1 and kinds not in (("ble", "qr"), ("ble", "nfc"))):
        raise UsageError(f"{given}: a phone over Bluetooth is found by the code on its screen, \"qr:PATH{JOINED}ble:NAME\", or "
                         f"by a tap, \"nfc:PATH{JOINED}ble:NAME\"")
    if len(found) > 1 and any(one == Moniker(Kind.NFC, OWN) for one in found):
        raise UsageError(f"{given}: patients' own phones are met over NFC alone; a tap before Bluetooth is at a device, nfc:usb")
    return found


def not_auto(monikers: Iterable[Moniker], given: str) -> None:
    """Raises UsageError for ``auto`` where a result has to say whose it is. ``given``: how it stood on the command line."""
    if any(one.kind is Kind.AUTO for one in monikers):
        raise UsageError(f"{given}: a result on whatever happens to be attached would be nobody's: name the device; "
                         "'vhc-bench devices' lists what is attached, with the moniker of each")


def _elsewhere(one: Moniker, asked: str) -> str:
    """Why such a moniker cannot be, or where it has its place; empty for one that has none."""
    if (asked, one.kind) in _WHY_NOT:
        return _WHY_NOT[asked, one.kind].format(a=_a(asked))
    if one.kind in _OF_CONFORM:
        return f"; {one} is for 'vhc-bench conform' only"
    role = next((role for role, kinds in ROLES.items() if one.kind in kinds), "")
    return f"; {one} can be {_a('wallet' if one == OWN_PHONES else role)}" if role else ""


def _a(role: str) -> str:
    return f"an {role}" if role == "hpc" else f"a {role}"


def _guess(text: str) -> str:
    """"did you mean ...? " for a near miss, else nothing."""
    name, colon, where = text.partition(":")
    if not colon and ("*" in text or " " in text):
        return f"did you mean 'pcsc:{text}'? "
    near = get_close_matches(name.lower(), [*(kind.value for kind in Kind), "https"], n=1, cutoff=0.6)
    if not near:
        return ""
    if near[0] in ("http", "https"):
        return f"did you mean 'https://{where.lstrip('/') or 'HOST:PORT'}'? "
    kind = Kind(near[0])
    return f"did you mean '{kind.value}:{where or '...'}'? " if kind in _NEEDS else f"did you mean {kind.value!r}? "


def _listed(kinds: Iterable[Kind]) -> str:
    *first, last = [_WORDS[kind] for kind in kinds]
    return f"{', '.join(first)} or {last}"


__all__ = ["JOINED", "ROLES", "VIRTUAL", "Kind", "Moniker", "for_role", "not_auto", "parse", "slot"]
