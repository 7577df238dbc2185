"""What the data centre keeps of askers it does not know: challenges, newest, refusals, each for so many and no more."""

from __future__ import annotations

from virtual_devices.clock import NS
from virtual_devices.cloud.challenges import CHALLENGE_LIFE_S, Challenges, Newest
from virtual_devices.cloud.journal import Answer, Asker, Journal, Request
from virtual_devices.lifecycle import OK, FieldCode, Party

from .desk import NOW_NS


def test_challenges_are_kept_for_so_many_askers() -> None:
    drawn = iter(range(9))
    out: Challenges[int] = Challenges(lambda n: bytes([next(drawn)]) * n, most=2)
    first, second = out.give(1, NOW_NS), out.give(2, NOW_NS)
    assert out.give(1, NOW_NS + 1) == first != second and len(first) == 16
    out.give(3, NOW_NS)
    assert len(out) == 2 and out.use(1, NOW_NS) is None and out.use(2, NOW_NS) == second and out.use(2, NOW_NS) is None
    assert out.use(3, NOW_NS + CHALLENGE_LIFE_S * NS) is None and len(out) == 0


def test_what_is_kept_for_askers_is_so_much_and_no_more() -> None:
    kept: Newest[int, str] = Newest(most=2)
    for number in range(5):
        kept.put(number, str(number))
    assert len(kept) == 2 and kept.get(2) is None and kept.get(3) == "3"


def test_refusals_are_kept_for_so_many_and_what_was_done_for_good() -> None:
    journal, asker = Journal(most_refused=2), Asker(Party.HOLDER, "anna")
    done: list[bytes] = []

    def act(number: int, code: FieldCode) -> FieldCode:
        request = Request(bytes([number]) * 16, asker, NOW_NS)
        return journal.once(request, number, lambda: done.append(request.id) or Answer(code)).code  # type: ignore[func-returns-value]

    for number, code in ((1, OK), (2, FieldCode("5020")), (3, FieldCode("5020")), (4, FieldCode("5020"))):
        assert act(number, code) == act(number, code) == code
    assert len(done) == 4
    act(1, OK)
    assert len(done) == 4  # done once, for good
    act(2, FieldCode("5020"))
    assert len(done) == 5  # refused before, and judged anew
