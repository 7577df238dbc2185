"""What the holder can read afterwards: who saw or wrote what, when, over which medium, for what, and with whose consent.

An entry is written in the same commit as the act that it tells of: :meth:`AccessLog.changes` gives the records to put into that
commit, so that there is no act without its entry and no entry without its act. The newest :data:`KEPT` entries are kept; of the
older ones the count remains. Times are those of the phone's own clock, which may be wrong. The log lies in the vault, encrypted
like everything else, and goes with a wipe.

What others say of themselves (institution, name) is shown as text only: characters that would move or hide text are left out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any, Protocol

import cbor2

from virtual_devices import cbor, vhc
from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.pki import Role
from virtual_devices.quick import quick
from virtual_devices.wallet.consent import Element, Use
from virtual_devices.wallet.holder import Means

KEPT = 200
"""Entries that are kept."""
LONGEST_TEXT = 60
"""Characters of one thing that others say of themselves, as shown."""
_STATE, _PREFIX = "log.state", "log.entry."


class Language(Enum):
    ZH = "zh-TW"
    EN = "en"


class Deed(IntEnum):
    """What was done."""

    SHOWN = 1
    WRITTEN = 2
    DECLINED = 3  # asked for, and the holder gave nothing


@quick
@dataclass(frozen=True, slots=True)
class Entry:
    """One act. ``institution``: the SAM's, "" where no reader proved itself; ``professional``: id, "" where none took part.

    ``means`` and ``armed``: the consent, ``means`` None where none was given. ``by`` and ``holder``: a guardian and the one for
    whom the guardian acted, both "" when the holder acted alone.
    """

    at_ns: int
    deed: Deed
    channel: str
    use: Use
    elements: tuple[Element, ...] = ()
    institution: str = ""
    professional: str = ""
    role: Role | None = None
    means: Means | None = None
    armed: bool = False
    by: str = ""
    holder: str = ""

    def to_bytes(self) -> bytes:
        elements = [_encoded(element) for element in self.elements]
        return cbor.array((
            cbor.number(self.at_ns), cbor.number(self.deed), cbor.name(self.channel), cbor.name(self.use.value),
            cbor.array(elements), cbor.text(self.institution), cbor.text(self.professional),
            cbor.number(self.role.value) if self.role else b"\xf6", cbor.name(self.means.value) if self.means else b"\xf6",
            b"\xf5" if self.armed else b"\xf4", cbor.text(self.by), cbor.text(self.holder),
        ))

    @staticmethod
    def from_bytes(raw: bytes) -> Entry:
        row: list[Any] = cbor2.loads(raw)
        at_ns, deed, channel, use, elements, institution, professional, role, means, armed, by, holder = row
        return Entry(
            at_ns, Deed(deed), channel, Use(use), tuple((space, name) for space, name in elements), institution, professional,
            None if role is None else Role(role), None if means is None else Means(means), armed, by, holder,
        )


@lru_cache(512)
def _encoded(element: Element) -> bytes:
    """An element in an entry: few there are, and each is noted again and again."""
    space, name = element
    return b"\x82" + cbor.text(space) + cbor.text(name)


class Records(Protocol):
    """Where the log lies: a vault."""

    def get(self, name: str) -> bytes | None: ...


class AccessLog:
    """The log in one vault."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def changes(self, *entries: Entry) -> Mapping[str, bytes | None]:
        """What to commit, together with the acts themselves. Ask for it once a commit: two answers would take the same place."""
        if not entries:
            return {}
        first, end = self._span()
        changes: dict[str, bytes | None] = {_name(end + n): entry.to_bytes() for n, entry in enumerate(entries)}
        end += len(entries)
        for number in range(first, max(first, end - KEPT)):
            if changes.pop(_name(number), None) is None:
                changes[_name(number)] = None
        changes[_STATE] = cbor2.dumps([max(first, end - KEPT), end])
        return changes

    def entries(self) -> list[Entry]:
        """The newest first."""
        first, end = self._span()
        raws = [self._records.get(_name(number)) for number in range(end - 1, first - 1, -1)]
        return [Entry.from_bytes(raw) for raw in raws if raw is not None]

    @property
    def dropped(self) -> int:
        """How many older entries there were."""
        return self._span()[0]

    def _span(self) -> tuple[int, int]:
        """Numbers of the oldest entry kept, and of the next one to come."""
        raw = self._records.get(_STATE)
        if raw is None:
            return 0, 0
        first, end = cbor2.loads(raw)
        return first, end


def _name(number: int) -> str:
    return f"{_PREFIX}{number:09}"


# -- in words

_ROLES: Mapping[Role | None, tuple[str, str]] = {
    Role.PHYSICIAN: ("醫師", "physician"), Role.PHARMACIST: ("藥師", "pharmacist"), Role.NURSE: ("護理師", "nurse"),
}
_CHANNELS = {
    "nfc": (" NFC ", "NFC"), "ble": ("藍牙", "Bluetooth"), "qr": ("二維條碼", "QR code"), "contact": ("接觸式讀卡", "contact"),
    "network": ("網路", "the network"),
}
_USES: Mapping[Use, tuple[str, str]] = {
    Use.REGISTRATION: ("掛號", "registration"), Use.TREATMENT: ("診療", "treatment"), Use.DISPENSING: ("調劑", "dispensing"),
    Use.NON_MEDICAL: ("非醫療用途", "use outside medical care"),
}
_MEANS: Mapping[Means | None, tuple[str, str]] = {
    Means.PIN: ("以密碼同意", "consent by PIN"), Means.BIOMETRIC: ("以生物特徵同意", "consent by biometric"),
    None: ("未同意", "without consent"),
}
_DEEDS: Mapping[Deed, tuple[str, str]] = {
    Deed.SHOWN: ("讀取", "read"), Deed.WRITTEN: ("寫入", "wrote"), Deed.DECLINED: ("要求而未獲准", "asked for, and did not get,"),
}


def describe(entry: Entry, lang: Language) -> str:
    """The entry as one sentence for the holder, in Taiwan's time."""
    return _in_chinese(entry) if lang is Language.ZH else _in_english(entry)


def _in_chinese(entry: Entry) -> str:
    when = f"{to_datetime(entry.at_ns).astimezone(TAIWAN):%Y-%m-%d %H:%M}"
    who = f"機構 {_plain(entry.institution)} " if entry.institution else "未證明身分的讀取者"
    if entry.professional:
        who += f"的{_ROLES[entry.role][0] if entry.role in _ROLES else '人員'} {_plain(entry.professional)} "
    what = "、".join(_label(e, 0) for e in entry.elements) or "無資料項目"
    consent = ("事先" if entry.armed else "") + _MEANS[entry.means][0]
    acted = f"；由{_plain(entry.by)}代{_plain(entry.holder)}" if entry.by else ""
    channel = _CHANNELS[entry.channel][0] if entry.channel in _CHANNELS else f" {_plain(entry.channel)} "
    return f"{when}　{who}經{channel}{_DEEDS[entry.deed][0]}：{what}（{_USES[entry.use][0]}；{consent}{acted}）"


def _in_english(entry: Entry) -> str:
    when = f"{to_datetime(entry.at_ns).astimezone(TAIWAN):%Y-%m-%d %H:%M}"
    who = f"institution {_plain(entry.institution)}" if entry.institution else "a reader that did not prove itself"
    if entry.professional:
        who = f"{_ROLES[entry.role][1] if entry.role in _ROLES else 'staff'} {_plain(entry.professional)}, {who},"
    what = ", ".join(_label(e, 1) for e in entry.elements) or "no element"
    consent = _MEANS[entry.means][1] + (" in advance" if entry.armed else "")
    acted = f"; by {_plain(entry.by)} for {_plain(entry.holder)}" if entry.by else ""
    channel = _CHANNELS[entry.channel][1] if entry.channel in _CHANNELS else _plain(entry.channel)
    return f"{when}  {who} {_DEEDS[entry.deed][1]} over {channel}: {what} ({_USES[entry.use][1]}; {consent}{acted})"


def _label(element: Element, column: int) -> str:
    known = vhc.BY_NAME.get(element)
    return _plain("/".join(element)) if known is None else (known.zh, known.en)[column]


def _plain(text: str) -> str:
    """Without control and format characters (a right-to-left mark could make one name read as another), and not too long."""
    kept = " ".join("".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text).split())
    return kept if len(kept) <= LONGEST_TEXT else kept[: LONGEST_TEXT - 1] + "…"


__all__ = ["KEPT", "AccessLog", "Deed", "Entry", "Language", "describe"]
