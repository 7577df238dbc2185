"""The holder's consent: for one session, for stated elements and a stated use, after a proof; and nothing leaves without it.

A request is shown to the holder, who unticks what shall not be given and proves to be the holder (``holder.py``). With NFC
nobody can type while holding a phone to a reader, so consent can be given in advance, *armed*: for one session that begins
within 60 s, for elements chosen then, at whichever of its requests; locking the screen disarms it. What was not given stays
inside; a session that was declined may not ask again, and neither may one that is over. Later requests of a session may ask
for more, and for each thing the holder is asked once.

The machine is the table below; every pair that is not in it changes nothing. Times are on the phone's steady clock, and one
that goes back ends what was running. A restart forgets every consent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from virtual_devices.clock import NS
from virtual_devices.quick import QuickEnum, quick
from virtual_devices.wallet.holder import Holder, Means

ARMED_S = 60
SESSION_S = 900
"""A consent ends with its session, and at the latest so long after the session's first request."""

Element = tuple[str, str]
"""Namespace and identifier of a data element (ISO/IEC 18013-5, 8.3.1)."""
Names = Mapping[str, frozenset[str]]
"""Elements by namespace."""
_NOTHING: frozenset[str] = frozenset()


class Use(QuickEnum):
    """What the elements are for."""

    REGISTRATION = "registration"
    TREATMENT = "treatment"
    DISPENSING = "dispensing"
    NON_MEDICAL = "non-medical"


class State(QuickEnum):
    NONE = "none"
    ARMED = "armed"
    ASKED = "asked"
    GIVEN = "given"
    ASKED_MORE = "asked for more"  # what was given stays given meanwhile
    DECLINED = "declined"
    OVER = "used up"


class Event(QuickEnum):
    ARM = "the holder arms"
    TAP = "a request, and something of it is armed"
    ASK = "a request, and something of it is not given"
    GIVE = "the holder gives"
    DECLINE = "the holder declines, or takes back"
    LOCK = "the screen is locked"
    EXPIRE = "the time is over"
    END = "the session ends"


_S, _E = State, Event
TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType({
    (_S.NONE, _E.ARM): _S.ARMED,
    (_S.NONE, _E.ASK): _S.ASKED,
    (_S.ARMED, _E.ARM): _S.ARMED,
    (_S.ARMED, _E.TAP): _S.GIVEN,
    (_S.ARMED, _E.ASK): _S.ASKED,
    (_S.ARMED, _E.LOCK): _S.NONE,
    (_S.ARMED, _E.DECLINE): _S.NONE,
    (_S.ARMED, _E.EXPIRE): _S.NONE,
    (_S.ASKED, _E.GIVE): _S.GIVEN,
    (_S.ASKED, _E.DECLINE): _S.DECLINED,
    (_S.ASKED, _E.LOCK): _S.DECLINED,
    (_S.ASKED, _E.EXPIRE): _S.DECLINED,
    (_S.ASKED, _E.END): _S.OVER,
    (_S.GIVEN, _E.ASK): _S.ASKED_MORE,
    (_S.GIVEN, _E.DECLINE): _S.OVER,
    (_S.GIVEN, _E.EXPIRE): _S.OVER,
    (_S.GIVEN, _E.END): _S.OVER,
    (_S.ASKED_MORE, _E.GIVE): _S.GIVEN,
    (_S.ASKED_MORE, _E.DECLINE): _S.GIVEN,
    (_S.ASKED_MORE, _E.LOCK): _S.GIVEN,
    (_S.ASKED_MORE, _E.EXPIRE): _S.OVER,
    (_S.ASKED_MORE, _E.END): _S.OVER,
    (_S.DECLINED, _E.END): _S.OVER,
    (_S.OVER, _E.ARM): _S.ARMED,
    (_S.OVER, _E.ASK): _S.ASKED,  # by another session
})
OPEN = frozenset({State.GIVEN, State.ASKED_MORE})
"""The states in which something may leave."""
_ASKING = frozenset({State.ASKED, State.ASKED_MORE})
_LIMIT_S = {State.ARMED: ARMED_S, State.ASKED: SESSION_S, State.GIVEN: SESSION_S, State.ASKED_MORE: SESSION_S}


class Answer(Enum):
    """What a request is told."""

    GIVEN = "go on"  # with what Consent.allows says
    WAIT = "the holder is asked"
    REFUSED = "no"


@quick
@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked or given: each element for a use. Kept as requests are, by namespace."""

    names: Mapping[tuple[Use, str], frozenset[str]] = field(default_factory=dict)
    """For a use and of a namespace these names, at least one."""

    @staticmethod
    def of(use: Use, elements: Iterable[Element]) -> Scope:
        names: dict[str, set[str]] = {}
        for space, name in elements:
            names.setdefault(space, set()).add(name)
        return Scope({(use, space): frozenset(some) for space, some in names.items()})

    @staticmethod
    def named(use: Use, names: Names) -> Scope:
        return Scope({(use, space): some for space, some in names.items() if some})

    @property
    def parts(self) -> frozenset[tuple[Use, Element]]:
        return frozenset([(use, (space, name)) for (use, space), names in self.names.items() for name in names])

    def elements(self, use: Use) -> frozenset[Element]:
        return frozenset([element for for_use, element in self.parts if for_use is use])

    def of_use(self, use: Use) -> Names:
        return {space: names for (for_use, space), names in self.names.items() if for_use is use}

    def meets(self, other: Scope) -> bool:
        """Whether the two have anything in common."""
        mine = self.names
        return any(key in mine and not mine[key].isdisjoint(some) for key, some in other.names.items())

    def __and__(self, other: Scope) -> Scope:
        mine = self.names
        return Scope({key: both for key, some in other.names.items() if (both := mine.get(key, _NOTHING) & some)})

    def __sub__(self, other: Scope) -> Scope:
        less = other.names
        return Scope({key: left for key, some in self.names.items() if (left := some - less.get(key, _NOTHING))})

    def __or__(self, other: Scope) -> Scope:
        mine = self.names
        return Scope({**mine, **{key: mine.get(key, _NOTHING) | some for key, some in other.names.items()}})

    def __bool__(self) -> bool:
        return bool(self.names)


@quick
@dataclass(frozen=True, slots=True)
class Given:
    """A consent in force: what the access log says about it."""

    scope: Scope
    means: Means  # of the last proof
    armed: bool


class Consent:
    """The consent of one phone: one session at a time."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self.power_on()

    def power_on(self) -> None:
        """Every consent is forgotten."""
        self._state = State.NONE
        self._session = b""  # the one that runs, or ran last
        self._asked = Scope()
        self._settled = Scope()  # what the holder has decided on in this session
        self._given: Given | None = None
        self._armed: Given | None = None
        self._since_ns = 0

    @property
    def state(self) -> State:
        """As of the last act or look; time alone moves nothing until :meth:`look`."""
        return self._state

    @property
    def asked(self) -> Scope:
        """What the holder is asked for now."""
        return self._asked if self._state in _ASKING else Scope()

    @property
    def given(self) -> Given | None:
        """The consent in force."""
        return self._given if self._state in OPEN else None

    # -- what the reader's side does

    def ask(self, session: bytes, use: Use, elements: Iterable[Element], steady_ns: int) -> Answer:
        """A request of that session (its transcript's digest, or any name that no other session has)."""
        return self._ask(session, Scope.of(use, elements), steady_ns)

    def request(self, session: bytes, use: Use, names: Names, steady_ns: int) -> tuple[Answer, Names]:
        """:meth:`ask`, and what of it may leave now. Where a part of it is armed, the holder is asked for the rest."""
        wanted = Scope.named(use, names)
        answer = self._ask(session, wanted, steady_ns)
        given = self._allowed(session, wanted)
        if answer is Answer.GIVEN and given.names != wanted.names:
            answer = self._ask(session, wanted, steady_ns)
        return answer, given.of_use(use)

    def _ask(self, session: bytes, wanted: Scope, steady_ns: int) -> Answer:
        self.look(steady_ns)
        if not wanted or not session:
            return Answer.REFUSED
        match self._state:
            case State.NONE | State.ARMED | State.OVER:
                return self._begin(session, wanted, steady_ns)
            case State.GIVEN if session == self._session:
                return self._more(wanted)
            case State.ASKED | State.ASKED_MORE if session == self._session:
                new = wanted - self._settled
                return Answer.GIVEN if not new else Answer.WAIT if new == self._asked else Answer.REFUSED
            case _:  # declined, or another session
                return Answer.REFUSED

    def allows(self, session: bytes, use: Use, elements: Iterable[Element], steady_ns: int) -> frozenset[Element]:
        """Which of these elements may leave in this session, for this use. Nothing else may."""
        self.look(steady_ns)
        return self._allowed(session, Scope.of(use, elements)).elements(use)

    def _allowed(self, session: bytes, wanted: Scope) -> Scope:
        given = self.given
        return Scope() if given is None or session != self._session else given.scope & wanted

    def end(self, session: bytes) -> None:
        """The session is over, by whomever; its consent is used up."""
        if session == self._session:
            self._step(Event.END)

    # -- what the holder does

    def arm(self, use: Use, elements: Iterable[Element], steady_ns: int) -> bool:
        """Consent in advance. False without a proof, without elements, or while a session runs."""
        self.look(steady_ns)
        scope = Scope.of(use, elements)
        if not scope or not self._may(Event.ARM) or (means := self._holder.take_proof(steady_ns)) is None:
            return False
        self._armed, self._since_ns = Given(scope, means, True), steady_ns
        return self._step(Event.ARM)

    def give(self, use: Use, ticked: Iterable[Element], steady_ns: int) -> bool:
        """Give what is ticked of what is asked; nothing ticked is declining. False without a proof, or when nothing is asked."""
        self.look(steady_ns)
        scope = Scope.of(use, ticked) & self.asked
        if not self._may(Event.GIVE):
            return False
        if not scope:
            self._step(Event.DECLINE)
            return False
        means = self._holder.take_proof(steady_ns)
        if means is None:
            return False
        before = self._given.scope if self._given else Scope()
        self._given = Given(before | scope, means, False)
        return self._step(Event.GIVE)

    def decline(self) -> bool:
        """Decline what is asked; or else take back what is armed or given. False when there is nothing of it."""
        return self._step(Event.DECLINE)

    def lock_screen(self) -> None:
        """Disarms, takes an open question for declined, and forgets a proof. A consent that is in use stays with its session."""
        self._holder.drop_proof()
        self._step(Event.LOCK)

    # -- for the keystore

    def gate(self, key: str) -> bool:
        """Whether a key of the holder's may be used now: :meth:`Keystore.set_gate`."""
        return self._state in OPEN

    # -- inside

    def look(self, steady_ns: int) -> None:
        """Let what is too old expire; a steady clock that went back ends it too."""
        limit_s = _LIMIT_S.get(self._state)
        if limit_s is not None and not 0 <= steady_ns - self._since_ns < limit_s * NS:
            self._step(Event.EXPIRE)

    def _begin(self, session: bytes, wanted: Scope, steady_ns: int) -> Answer:
        if session == self._session:  # it is over
            return Answer.REFUSED
        armed, self._armed = self._armed, None
        self._session, self._since_ns, self._asked, self._given = session, steady_ns, wanted, None
        self._settled = Scope()
        if self._state is State.ARMED and armed is not None and armed.scope.meets(wanted):
            self._given, self._settled = armed, armed.scope  # for the whole of this session
            self._step(Event.TAP)
            return Answer.GIVEN
        self._step(Event.ASK)
        return Answer.WAIT

    def _more(self, wanted: Scope) -> Answer:
        if not (more := wanted - self._settled):
            return Answer.GIVEN
        self._asked = more
        self._step(Event.ASK)
        return Answer.WAIT

    def _may(self, event: Event) -> bool:
        return (self._state, event) in TRANSITIONS

    def _step(self, event: Event) -> bool:
        after = TRANSITIONS.get((self._state, event))
        if after is None:
            return False
        if self._state in _ASKING:
            self._settled |= self._asked
        self._state = after
        return True
