"""DLG-01, DLG-02 on the phone: what goes beyond a guardian's authorization does not leave it, whatever the reader makes of it."""

from __future__ import annotations

import pytest

from virtual_devices import vhc
from virtual_devices.authorization import Relation, Scope
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.refusals import No
from virtual_devices.reader.presentation import OPEN_APP, open_at
from virtual_devices.reader.proximity import Shown, ask
from virtual_devices.wallet.access_log import Language, describe
from virtual_devices.wallet.consent import Use

from .attacks_guardians import granted, guardians_desk, signed


def consulted(scope: frozenset[Scope]) -> tuple[Shown, str]:
    bench = guardians_desk(lambda made, key: signed(granted(made, key, scope=scope, relation=Relation.FAMILY)))
    bench.people.use = Use.TREATMENT
    sam, hpc = bench.ready()

    def flow() -> Flow[Shown]:
        yield Ask("holder", OPEN_APP)
        opened = yield from open_at(bench.desk, bench.counter)
        return (yield from ask(bench.desk, opened, vhc.CONSULTATION, sam, hpc=hpc))

    shown = bench.run(flow())
    return shown, describe(bench.phone.log.entries()[0], Language.ZH)


@pytest.mark.parametrize(
    ("scope", "medical"), [({Scope.BASIC}, False), ({Scope.BASIC, Scope.COLLECT}, False), ({Scope.BASIC, Scope.MEDICAL}, True)],
)
def test_guardian_shows_what_the_authorization_reaches_to(scope: set[Scope], medical: bool) -> None:
    shown, log = consulted(frozenset(scope))
    assert shown.value(vhc.BASIC, "name") == "王小華" and shown.value(vhc.BASIC, vhc.HELD_UNDER)
    assert (shown.value(vhc.MEDICAL, "allergies") is not None) is medical
    if not medical:
        assert shown.errors[vhc.MEDICAL]["allergies"] == No.AUTHORIZATION_ENDED
    assert "由王小明代" in log
