"""What a desk fetches for wallets: reader certificates of 72 hours, and status lists, from a data centre that answers and one
that does not."""

from __future__ import annotations

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.places import Place
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.pki import Role
from virtual_devices.reader.calls import RENEW_AFTER_H, get_reader_certificates, get_status_lists
from virtual_devices.reader.presentation import ready_for_wallets
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import register_wallet
from virtual_devices.status_list import Status

from .desk import AUTHORITY, NOW_NS
from .links import Silence
from .wallets import ISSUER, PLACE, WalletBench

HOUR_NS = 3600 * NS


def bench_with_authority(statuses: dict[Place, Status] | None = None) -> WalletBench:
    bench = WalletBench()
    bench.desk.reader_chain = bench.desk.hpc_reader_chain = ()
    bench.desk.reader_until_ns = 0

    def lists(now_ns: int) -> dict[str, bytes]:
        return ISSUER.status_lists(statuses or {}, now_ns, 1 << 16)

    bench.cloud = DataCentreDevice(
        bench.core, AUTHORITY.issue(Role.DATA_CENTRE, "IDC"), AUTHORITY.root_der, authority=AUTHORITY, lists=lists,
    )
    bench.sam_handle, _ = bench.ready()
    return bench


def test_certificates_come_by_themselves_and_are_renewed_once_a_day() -> None:
    bench = bench_with_authority()
    visit = bench.run(register_wallet(bench.desk, bench.counter, bench.request()))
    assert visit.person.name == "王小明"
    first = bench.desk.reader_chain, bench.desk.hpc_reader_chain
    assert first[0] and first[1]
    bench.run(ready_for_wallets(bench.desk))
    assert (bench.desk.reader_chain, bench.desk.hpc_reader_chain) == first
    bench.clock.advance_to(NOW_NS + RENEW_AFTER_H * HOUR_NS)
    bench.run(ready_for_wallets(bench.desk))
    assert bench.desk.reader_chain[0] != first[0][0] and bench.desk.hpc_reader_chain[0] != first[1][0]


def test_desk_that_has_never_had_a_line_is_told_what_it_lacks() -> None:
    bench = bench_with_authority()
    with pytest.raises(Ended) as end:
        bench.run(register_wallet(bench.desk, bench.counter, bench.request()), cloud=Silence())
    assert (end.value.role, end.value.code) == ("sam", "4012")


def test_former_certificates_serve_while_the_line_is_down_and_end_after_72_hours() -> None:
    bench = bench_with_authority()
    bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    bench.clock.advance_to(NOW_NS + 70 * HOUR_NS)
    assert bench.run(register_wallet(bench.desk, bench.counter, bench.request("a")), cloud=Silence()).person.name == "王小明"
    bench.clock.advance_to(NOW_NS + 73 * HOUR_NS)
    with pytest.raises(Ended) as end:
        bench.run(register_wallet(bench.desk, bench.counter, bench.request("b")), cloud=Silence())
    assert (end.value.role, end.value.code) == ("sam", "9061")


def test_revoked_professional_gets_no_certificate() -> None:
    bench = bench_with_authority()
    hpc = AUTHORITY.issue(Role.PHYSICIAN, "B123456780")
    bench.desk.hpc_chain = hpc.chain_bytes()
    from cryptography import x509

    serial = x509.load_der_x509_certificate(hpc.chain[0]).serial_number
    bench.cloud = DataCentreDevice(
        bench.core, AUTHORITY.issue(Role.DATA_CENTRE, "IDC"), AUTHORITY.root_der, {serial}, AUTHORITY,
    )
    with pytest.raises(Ended) as end:
        bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    assert (end.value.role, end.value.code) == ("hpc", "9130")


def test_revoked_sam_is_out_at_every_wallet_after_72_hours_though_nobody_tells_the_wallet() -> None:
    """P-RDR-10: the data centre gives it nothing more, and what it has ends."""
    bench = bench_with_authority()
    bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    assert bench.desk.sam is not None
    revoked = {bench.desk.sam.who.serial}
    bench.cloud = DataCentreDevice(bench.core, AUTHORITY.issue(Role.DATA_CENTRE, "IDC"), AUTHORITY.root_der, revoked, AUTHORITY)
    with pytest.raises(Ended) as end:
        bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    assert (end.value.role, end.value.code) == ("sam", "9060")
    for hours, served in ((71, True), (73, False)):
        bench.clock.advance_to(NOW_NS + hours * HOUR_NS)
        try:
            bench.run(register_wallet(bench.desk, bench.counter, bench.request(f"{hours}")), cloud=Silence())
        except Ended as e:
            assert not served and (e.role, e.code) == ("sam", "9061")
        else:
            assert served


def test_data_centre_without_authority_says_so() -> None:
    bench = WalletBench()
    bench.sam_handle, _ = bench.ready()
    with pytest.raises(Ended) as end:
        bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    assert end.value.code == "9004"


@pytest.mark.parametrize(
    ("status", "served"), [(Status.VALID, True), (Status.INVALID, False), (Status.SUSPENDED, False)],
)
def test_status_lists_tell_revoked_cards_offline(status: Status, served: bool) -> None:
    """LIF-01: the list is at hand, the line is down."""
    bench = bench_with_authority({PLACE: status})
    bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    assert bench.run(get_status_lists(bench.desk, bench.sam_handle)) == 1
    flow = register_wallet(bench.desk, bench.counter, bench.request())
    if served:
        person = bench.run(flow, cloud=Silence()).person
        assert (person.status, person.status_age_ns) == (Status.VALID, 0)
    else:
        with pytest.raises(Ended) as end:
            bench.run(flow, cloud=Silence())
        assert end.value.code == "5002"


def test_list_past_its_end_says_nothing_and_the_card_is_served_and_marked() -> None:
    bench = bench_with_authority({PLACE: Status.INVALID})
    bench.run(get_reader_certificates(bench.desk, bench.sam_handle))
    bench.run(get_status_lists(bench.desk, bench.sam_handle))
    bench.clock.advance_to(NOW_NS + 25 * HOUR_NS)
    person = bench.run(register_wallet(bench.desk, bench.counter, bench.request()), cloud=Silence()).person
    assert person.status is Status.UNKNOWN and person.status_age_ns >= 25 * HOUR_NS


def test_no_line_brings_no_lists_and_the_former_ones_stay() -> None:
    bench = bench_with_authority({PLACE: Status.VALID})
    assert bench.run(get_status_lists(bench.desk, bench.sam_handle), cloud=Silence()) == 0
    assert bench.desk.institution.lists is None
