"""Who is asking: which information about oneself is enough, and what it entitles to (申辦與身分確認).

:data:`LEVELS` is the whole rule, the bench's profile. Reasons for its lines:

- facts (level 1) are known to family and to thieves: they let one apply, and suspend, which can be undone; nothing else.
- a code to the telephone on file (level 2) shows who holds that telephone. Its number may have been stolen, so it gives no
  second phone a card and re-issues nothing; it ends a card, because a lost one must be ended at once.
- a certificate (level 3: 自然人憑證, TW FidO), the card itself at a reader, and a person at a counter are proofs of their own.

Signatures and sessions are verified by the protocol round the domain; here stands what they came to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from random import Random

from virtual_devices.clock import NS
from virtual_devices.cloud.books import Books, ByName, Kind, MemoryBooks
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, OK, FieldCode

UNKNOWN_PERSON, CONTRADICTED, TOO_LITTLE = FieldCode("9012"), FieldCode("5020"), FieldCode("1057", Space.VHC)
LOCKED, BAD_CODE, USED_BEFORE, TOO_OLD = (
    FieldCode("9043"), FieldCode("1013", Space.VHC), FieldCode("66008", Space.VHC), FieldCode("1703", Space.VHC),
)
CODE_LIFE_S, CODE_TRIES = 300, 3
WRONG_ANSWERS, LOCKED_S = 5, 86_400
SESSION_LIFE_S = 600


class Act(Enum):
    """What a person may ask for about their cards."""

    APPLY = "apply"
    ACTIVATE = "activate"
    REBIND = "re-bind"
    REISSUE = "re-issue (the physical card or both)"
    SUSPEND = "suspend"
    RESUME = "resume"
    REPORT_LOST = "report lost"
    RECALL = "give up"
    AUTHORIZE = "authorize a guardian"


class Piece(Enum):
    """One piece of identifying information."""

    ID_NO = "id number"
    BIRTH_DATE = "birth date"
    HOUSEHOLD_NO = "household number"
    PHONE_NO = "telephone number on file"
    ONE_TIME_CODE = "one-time code"
    CERTIFICATE = "citizen certificate or mobile identification"
    BOUND_KEY = "signature of the phone that has the card"
    CARD_SESSION = "three-card session with the physical card"
    COUNTER = "in person, with a document"


class Level(Enum):
    """How well the asker is known."""

    FACTS = "1 facts"
    REACHED = "2 reached by telephone"
    CERTIFIED = "3 certified"
    BOUND_PHONE = "own phone"
    PHYSICAL_CARD = "physical card"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a level takes, and what it entitles to."""

    needs: frozenset[Piece]
    may: frozenset[Act]


_FACTS = frozenset({Piece.ID_NO, Piece.BIRTH_DATE, Piece.HOUSEHOLD_NO})
_END = frozenset({Act.SUSPEND, Act.RESUME, Act.REPORT_LOST, Act.RECALL})
LEVELS: Mapping[Level, Rule] = {
    Level.FACTS: Rule(_FACTS, frozenset({Act.APPLY, Act.SUSPEND})),
    Level.REACHED: Rule(_FACTS | {Piece.PHONE_NO, Piece.ONE_TIME_CODE}, _END | {Act.APPLY, Act.ACTIVATE}),
    Level.CERTIFIED: Rule(frozenset({Piece.ID_NO, Piece.CERTIFICATE}), frozenset(Act)),
    Level.BOUND_PHONE: Rule(frozenset({Piece.ID_NO, Piece.BOUND_KEY}), _END | {Act.REBIND, Act.AUTHORIZE}),
    Level.PHYSICAL_CARD: Rule(frozenset({Piece.CARD_SESSION}), frozenset(Act) - {Act.REISSUE}),
    Level.COUNTER: Rule(frozenset({Piece.ID_NO, Piece.COUNTER}), frozenset(Act)),
}


@dataclass(frozen=True, slots=True)
class Effort:
    """What an application costs by one way, for comparison (ENR-03). Assumed figures: a scenario brings its own."""

    holder_min: float
    officer_min: float
    journeys: int


EFFORT: Mapping[Level, Effort] = {
    Level.FACTS: Effort(10, 0, 0),  # and the activation, by another way
    Level.REACHED: Effort(12, 0, 0),
    Level.CERTIFIED: Effort(6, 0, 0),
    Level.BOUND_PHONE: Effort(3, 0, 0),
    Level.PHYSICAL_CARD: Effort(4, 1, 0),  # at a visit that takes place anyway
    Level.COUNTER: Effort(75, 12, 1),
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A person as the registers have them. ``parents``: card numbers of those with parental authority (戶籍)."""

    card_no: str
    name: str
    id_no: str
    birth_date: date
    household_no: str
    phone_no: str = ""
    parents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CardSession:
    """A three-card session that was verified: the statement's id, whose card it was, when."""

    statement: bytes
    card_no: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Given:
    """What an asker gives. ``certified_id_no`` is what a verified certificate or mobile identification names."""

    id_no: str = ""
    birth_date: date | None = None
    household_no: str = ""
    phone_no: str = ""
    one_time_code: str = field(default="", repr=False)
    certified_id_no: str = ""
    bound_key: bytes = b""
    session: CardSession | None = None
    officer: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """The one-time code that was sent to a person last."""

    card_no: str
    digits: str
    sent_ns: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class WrongAnswers:
    """When somebody answered wrongly for a person lately."""

    card_no: str
    at_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsedStatement:
    """A card session that has been used up."""

    statement: bytes


REGISTERED = Kind("registered", Registered, ("card_no",))
CODES_SENT = Kind("codes_sent", Code, ("card_no",))
WRONG = Kind("wrong_answers", WrongAnswers, ("card_no",))
CARD_SESSIONS = Kind("card_sessions", CardSession, ("statement",), (("at_ns",),))
USED = Kind("used_statements", UsedStatement, ("statement",))


class Identification:
    """The registered people, and how well each asker is known.

    Which keys the person's own virtual card has, and whether their physical card is in use, the cards tell (:meth:`ask_cards`).
    """

    def __init__(self, rng: Random, books: Books | None = None) -> None:
        books = books or MemoryBooks()
        self.people: ByName[str, Registered] = ByName(books.shelf(REGISTERED), REGISTERED)
        self._rng = rng
        self._codes, self._wrong, self._used = books.shelf(CODES_SENT), books.shelf(WRONG), books.shelf(USED)
        self._keys_of: Callable[[str], frozenset[bytes]] = lambda _: frozenset()
        self._card_active: Callable[[str], bool] = lambda _: False

    def ask_cards(self, keys_of: Callable[[str], frozenset[bytes]], card_active: Callable[[str], bool]) -> None:
        self._keys_of, self._card_active = keys_of, card_active

    def send_code(self, card_no: str, given: Given, at_ns: int) -> tuple[FieldCode, str]:
        """A one-time code to the telephone on file, for one who knows the facts and the number. Code, and the digits sent."""
        refused, pieces = self._pieces(card_no, given, at_ns)
        if refused is not None:
            return refused, ""
        if not _FACTS | {Piece.PHONE_NO} <= pieces:
            return TOO_LITTLE, ""
        digits = f"{self._rng.randrange(1_000_000):06d}"
        self._codes.put(Code(card_no, digits, at_ns))
        return OK, digits

    def level(self, card_no: str, given: Given, act: Act, at_ns: int) -> Level | FieldCode:
        """The level that entitles to the act, or the code that refuses. Codes and statements are used up by it."""
        refused, pieces = self._pieces(card_no, given, at_ns)
        if refused is not None:
            return refused
        reached = [level for level, rule in LEVELS.items() if rule.needs <= pieces]
        entitled = [level for level in reached if act in LEVELS[level].may]
        if not entitled:
            return NOT_ALLOWED if reached else TOO_LITTLE
        self._use_up(card_no, given)
        return entitled[-1]

    def _use_up(self, card_no: str, given: Given) -> None:
        if given.one_time_code:
            self._codes.remove(card_no)
        if given.session is not None:
            self._used.put(UsedStatement(given.session.statement))

    def _pieces(self, card_no: str, given: Given, at_ns: int) -> tuple[FieldCode | None, frozenset[Piece]]:
        """The pieces that are right. One that is wrong refuses the whole: what is left would be a guess that paid."""
        person = self.people.get(card_no)
        if person is None:
            return UNKNOWN_PERSON, frozenset()
        known = self._wrong.get(card_no)
        wrong_ns = [t for t in (known.at_ns if known else ()) if at_ns - t < LOCKED_S * NS]
        if len(wrong_ns) >= WRONG_ANSWERS and not _proofs(given):
            return LOCKED, frozenset()
        said: dict[Piece, tuple[object, object]] = {
            Piece.ID_NO: (given.id_no, person.id_no),
            Piece.BIRTH_DATE: (given.birth_date, person.birth_date),
            Piece.HOUSEHOLD_NO: (given.household_no, person.household_no),
            Piece.PHONE_NO: (given.phone_no, person.phone_no),
            Piece.CERTIFICATE: (given.certified_id_no, person.id_no),
        }
        pieces = {piece for piece, (one, _) in said.items() if one}
        refused = CONTRADICTED if any(said[piece][0] != said[piece][1] for piece in pieces) else None
        if given.one_time_code and refused is None:
            refused = self._code_refused(card_no, given.one_time_code, at_ns)
            pieces.add(Piece.ONE_TIME_CODE)
        if given.bound_key and refused is None:
            refused = None if given.bound_key in self._keys_of(card_no) else CONTRADICTED
            pieces.add(Piece.BOUND_KEY)
        if refused is not None:
            self._wrong.put(WrongAnswers(card_no, (*wrong_ns, at_ns)))
            return refused, frozenset()
        if given.session is not None:
            refused = self._session_refused(card_no, given.session, at_ns)
            pieces.add(Piece.CARD_SESSION)
        if given.officer:
            pieces.add(Piece.COUNTER)
        return refused, frozenset(pieces)

    def _code_refused(self, card_no: str, digits: str, at_ns: int) -> FieldCode | None:
        sent = self._codes.get(card_no)
        if sent is None or not 0 <= at_ns - sent.sent_ns < CODE_LIFE_S * NS or sent.tries >= CODE_TRIES:
            return BAD_CODE
        self._codes.put(replace(sent, tries=sent.tries + 1))
        return None if sent.digits == digits else BAD_CODE

    def _session_refused(self, card_no: str, session: CardSession, at_ns: int) -> FieldCode | None:
        if session.card_no != card_no:
            return CONTRADICTED
        if not 0 <= at_ns - session.at_ns < SESSION_LIFE_S * NS:
            return TOO_OLD
        if self._used.get(session.statement) is not None:
            return USED_BEFORE
        return None if self._card_active(card_no) else FieldCode("5002")


def _proofs(given: Given) -> bool:
    """Whether there is something that cannot be guessed. Strangers who guess shall not lock the holder out."""
    return bool(given.officer or given.session or given.certified_id_no or given.bound_key)


__all__ = [
    "Act", "CardSession", "EFFORT", "Effort", "Given", "Identification", "LEVELS", "Level", "Piece", "Registered", "Rule",
]
