"""A patient card pulled at every point of a write: it holds the old state or the new one, and the act can be done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conformance import command_loop
from conformance.case import Each, Nature, case
from conformance.chips import PIN_OFF, MadeUp
from conformance.kinds.card import WHEN, CardTester, entry
from virtual_devices.authentication import Party
from virtual_devices.pki import Role

_MADE_UP = MadeUp(personal={"available_visits": 3})
_MEDICAL = ("diagnosis", "outpatient_rx", "long_term_rx", "key_order")
_POINTS = 400
"""More points of writing than any act here has."""


def _visit(card: CardTester) -> None:
    card.must(card.put(card.issue(), card.act_id("visit")), "visit")


def _visit_and_fee(card: CardTester) -> None:
    _visit(card)
    card.must(card.put(card.fee(), card.act_id("fee")), "fees")


_ACTS: Mapping[str, tuple[Callable[[CardTester], None], Callable[[CardTester], bytes]]] = {
    "visit": (lambda _: None, lambda card: card.issue()),
    "consultation": (
        _visit, lambda card: card.diagnosis() + card.fee() + card.prescription(entries=[entry(WHEN, kind) for kind in "125"]),
    ),
    "roll-back": (_visit_and_fee, lambda card: card.roll_back()),
}


@case("P-COS-07", "P-ACT-01", "P-ACT-02", nature=Nature.MEDIUM, zh="寫入中於任一點抽卡：非舊即新，可重做", destructive=True,
      each=lambda: {name: Each(name) for name in _ACTS})
def test_torn_act_is_old_or_new_and_ends_new(card: CardTester, name: str) -> None:
    """Torn at any point of an act, the card holds what was before or all of the act, and the same act again makes it new."""
    before, act = _ACTS[name]

    def ready() -> None:
        card.at_desk(_MADE_UP, professional=Role.PHYSICIAN)
        before(card)

    ready()
    command = card.put(act(card), card.act_id("torn"))
    old = card.memory(*_MEDICAL)
    answer = card.says(command, 0x9000, name)
    new = card.memory(*_MEDICAL)
    card.need("the act changes something", old != new)
    seen = set()
    for point in _points():
        ready()
        torn = card.torn(command, point, f"{name}, torn at {point}")
        card.prove(card.takes)
        card.prove(Party.HPC, card.professional(Role.PHYSICIAN))
        state = card.memory(*_MEDICAL)
        found = _difference(state, old, new)
        card.expect(f"torn at {point}: old or new", state in (old, new), "the state before or after", found)
        seen.add(state == new)
        card.says(command, 0x9000, f"again after {point}", answer)
        card.equal(f"after {point}, done again", card.memory(*_MEDICAL), new)
        if not torn:
            break
    card.equal("seen: old after early tears, new after late ones", seen, {False, True})


def _points() -> list[int]:
    """Every one of the first, of which the journal's end is one, then some."""
    return [*range(10), *range(10, _POINTS, 13)]


def _difference(state: Mapping[str, list[bytes]], old: Mapping[str, list[bytes]], new: Mapping[str, list[bytes]]) -> str:
    mixed = [name for name in state if state[name] not in (old[name], new[name])]
    return f"a mixture, in {', '.join(mixed)}" if mixed else "areas of both"


@case("P-COS-07", "P-PIN-04", nature=Nature.MEDIUM, zh="關閉密碼中抽卡：非開即關", destructive=True)
def test_torn_switch_is_on_or_off(card: CardTester) -> None:
    """Torn while the PIN is switched off, it is on or off, and the PIN is the same."""
    seen = set()
    for point in range(12):
        card.at_desk(MadeUp(personal={"pin": "246810"}))
        card.must(card.pin("246810"), "PIN")
        torn = card.torn(PIN_OFF, point, f"switch, torn at {point}")
        state = card.ask(card.pin("246810"), "PIN").sw
        card.expect(f"torn at {point}: on or off", state in (0x9000, 0x6984), "9000 or 6984", f"{state:04X}")
        seen.add(state)
        if not torn:
            break
    card.equal("seen: on after early tears, off after late ones", seen, {0x9000, 0x6984})


@case("P-COS-06", "P-COS-07", nature=Nature.MEDIUM, zh="取隨機數時抽卡：之後之隨機數仍是新的", destructive=True)
def test_torn_challenge_is_never_given_again(card: CardTester) -> None:
    """Torn at any point of giving a challenge, the card gives no challenge that it gave before."""
    command_loop.torn_challenge_is_never_given_again(card)
