"""Whether an issue may be dispensed now, by what is known of the prescription: the same judgement at the counter and at the data
centre, which knows more.
"""

from __future__ import annotations

from virtual_devices.pki import Role
from virtual_devices.prescription.acts import Dispensing
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.reckoning import Reckoning, too_much
from virtual_devices.prescription.rules import Rules, day_of
from virtual_devices.prescription.states import Event, Refusal, step


def may_dispense(act: Dispensing, role: Role, standing: Reckoning, now_ns: int, rules: Rules) -> Why:
    """The first thing against it, or OK. ``role``: of the professional's card that signs."""
    if not standing.versions:
        return Why.NOT_HERE
    verdict = step(standing.state(now_ns), Event.DISPENSE, standing.count, role)
    if isinstance(verdict, Refusal):
        return Why.ELSEWHERE if verdict.why is Why.USED_UP and act.issue <= standing.dispensed else verdict.why
    if act.about.document != standing.rx.id:
        return Why.OLD_VERSION
    own = act.institution == standing.rx.institution
    if role is Role.PHYSICIAN and not own:
        return Why.WRONG_SIGNER
    if not own and not standing.rx.released:
        return Why.OWN_ONLY
    if act.issue != standing.dispensed + 1:
        return Why.ELSEWHERE if act.issue <= standing.dispensed else Why.OUT_OF_TURN
    from_day = standing.collectable_from(rules)
    if from_day is not None and day_of(act.at_ns) < from_day:
        return Why.TOO_EARLY
    if standing.unsigned_for(now_ns):
        return Why.NO_RECIPIENT
    return Why.TOO_MUCH if too_much(act, standing.rx) else Why.OK


__all__ = ["may_dispense"]
