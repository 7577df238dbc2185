"""The token QR of the deployed virtual card, as public clients and the press show it (certainty: public).

The phone shows an opaque text that the cloud gave it; the reader's software hands the text over (``uploadqrcode``,
``ReadBasic``, ``Verification/VirtualHc``) and the cloud says whose it is. Nothing can be checked without the cloud.

What is public: one use, five minutes (press, 2025-10-26), the codes 1018 to 1020 for the scan, 1021 to 1023 for calls after
it, 1525 for verifying too often, 3244 for fetching visit data twice. What is inferred, for nothing public tells it: the text's
form, how long a session lasts after the scan, how many verifications it takes, and that the session belongs to the institution
that scanned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from virtual_devices.clock import NS
from virtual_devices.codes import Space
from virtual_devices.errors import UsageError
from virtual_devices.lifecycle import FieldCode
from virtual_devices.tables import Certainty

LIFETIME_S = 300
SESSION_S = 1800  # inferred
MAX_VERIFICATIONS = 10  # inferred: code 1525 says that there is a limit, not which
TOKEN_BYTES = 24
TEXT_PREFIX = "VHT"
MAX_TOKENS = 1 << 16


class Answer(Enum):
    """What the cloud says of a token."""

    OK = "ok"
    EXPIRED = "scanned later than five minutes after it was shown"
    UNKNOWN = "never issued, or forgotten"
    USED = "scanned before"
    SESSION_EXPIRED = "the session after the scan is over"
    SESSION_INVALID = "the session belongs to another institution"
    SESSION_ABSENT = "the code was never scanned"
    TOO_OFTEN = "verified too often"
    FETCHED = "visit data were fetched with this code before"

    @property
    def code(self) -> FieldCode:
        return _CODES[self]


def _public(number: str) -> FieldCode:
    return FieldCode(number, Space.VHC, Certainty.PUBLIC)


_CODES = {
    Answer.OK: FieldCode("0", Space.VHC, Certainty.PUBLIC),
    Answer.EXPIRED: _public("1018"),
    Answer.UNKNOWN: _public("1019"),
    Answer.USED: _public("1020"),
    Answer.SESSION_EXPIRED: _public("1021"),
    Answer.SESSION_INVALID: _public("1022"),
    Answer.SESSION_ABSENT: _public("1023"),
    Answer.TOO_OFTEN: _public("1525"),
    Answer.FETCHED: _public("3244"),
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """``card_no`` is "" when the answer is not OK."""

    answer: Answer
    card_no: str = ""


@dataclass(slots=True)
class _Token:
    """What the office knows of one code that it issued."""

    card_no: str
    issued_ns: int
    institution: str = ""  # "" until it is scanned
    scanned_ns: int = -1
    verifications: int = 0
    fetched: bool = False

    def forgotten_ns(self, session_s: int) -> int:
        """When nothing more than 'unknown' needs to be said of it."""
        return (self.issued_ns if self.scanned_ns < 0 else self.scanned_ns) + 2 * max(LIFETIME_S, session_s) * NS


class TokenOffice:
    """The data centre's side: issues codes and resolves them. ``fresh`` gives the bytes of a code."""

    def __init__(
        self, fresh: Callable[[int], bytes], *, session_s: int = SESSION_S, max_verifications: int = MAX_VERIFICATIONS,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._fresh = fresh
        self._session_s = session_s
        self._max_verifications = max_verifications
        self._max_tokens = max_tokens
        self._tokens: dict[str, _Token] = {}

    def issue(self, card_no: str, now_ns: int) -> str:
        """A new code for that card. One that is on the screen already stays good. Raises UsageError when there are too many."""
        if len(self._tokens) >= self._max_tokens:
            self._tokens = {t: it for t, it in self._tokens.items() if now_ns < it.forgotten_ns(self._session_s)}
        if len(self._tokens) >= self._max_tokens:
            raise UsageError(f"{self._max_tokens} codes are alive: give the office more room")
        text = TEXT_PREFIX + self._fresh(TOKEN_BYTES).hex().upper()
        self._tokens[text] = _Token(card_no, now_ns)
        return text

    def resolve(self, text: str, institution: str, now_ns: int) -> Resolved:
        """The scan: whose code it is. It counts as used when the cloud answers OK, also when the answer is lost on its way."""
        token = self._tokens.get(text)
        if token is None or now_ns < token.issued_ns:
            return Resolved(Answer.UNKNOWN)
        if token.scanned_ns >= 0:
            return Resolved(Answer.USED)
        if now_ns >= token.issued_ns + LIFETIME_S * NS:
            return Resolved(Answer.EXPIRED)
        token.institution, token.scanned_ns = institution, now_ns
        return Resolved(Answer.OK, token.card_no)

    def verify(self, text: str, institution: str, now_ns: int) -> Resolved:
        """A call after the scan: whether its session is open. A roll-back or later write verifies again (public clients do)."""
        token = self._tokens.get(text)
        if (refused := self._session(token, institution, now_ns)) is not None:
            return Resolved(refused)
        assert token is not None
        if token.verifications >= self._max_verifications:
            return Resolved(Answer.TOO_OFTEN)
        token.verifications += 1
        return Resolved(Answer.OK, token.card_no)

    def look(self, text: str, institution: str, now_ns: int) -> Resolved:
        """Whether the session is open and whose it is, without counting as a verification: for calls that carry a signature."""
        token = self._tokens.get(text)
        if (refused := self._session(token, institution, now_ns)) is not None:
            return Resolved(refused)
        assert token is not None
        return Resolved(Answer.OK, token.card_no)

    def fetch(self, text: str, institution: str, now_ns: int) -> Resolved:
        """Visit data: once for each code."""
        token = self._tokens.get(text)
        if (refused := self._session(token, institution, now_ns)) is not None:
            return Resolved(refused)
        assert token is not None
        if token.fetched:
            return Resolved(Answer.FETCHED)
        token.fetched = True
        return Resolved(Answer.OK, token.card_no)

    def _session(self, token: _Token | None, institution: str, now_ns: int) -> Answer | None:
        if token is None or token.scanned_ns < 0:
            return Answer.SESSION_ABSENT
        if token.institution != institution:
            return Answer.SESSION_INVALID
        return Answer.SESSION_EXPIRED if now_ns >= token.scanned_ns + self._session_s * NS else None
