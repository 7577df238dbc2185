"""A whole tap: handover and retrieval, in APDUs, in blocks, through losses, while the wallet asks for time to sign."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.iso_dep import Ats, Picc
from virtual_devices.iso_dep_reader import RETRIES, Pcd, rats
from virtual_devices.mdoc.carriers import NfcCarrier
from virtual_devices.mdoc.handover import NegotiatedHandover
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.reader import nfc as nfc_reader

from .handover_messages import DRAW, ENGAGEMENT
from .iso_dep_air import Air
from .nfc_wallet import NfcWallet, tap


class SigningWallet(NfcWallet):
    """Applications behind ISO-DEP: messages are answered after ``late`` requests for time, frames are lost as told."""

    def __init__(self, lost: list[bool], late: int, fsci: int) -> None:
        self.heard: list[bytes] = []
        self.negotiated = NegotiatedHandover(ENGAGEMENT, lambda _: NfcCarrier(65535, 65536))
        self.retrieval = Retrieval(self.heard.append)
        super().__init__(Type4Tag(self.negotiated), self.retrieval)
        picc = Picc(self.applications.handle, Ats(fsci))
        picc.activate(rats())
        self.air = Air(picc, lost, late, self.signed)
        self.pcd = Pcd(picc.ats)

    def signed(self) -> bytes:
        return self.retrieval.reply(self.heard[-1] * 3).to_bytes()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self.air.run(self.pcd.exchange(request))


@given(
    st.lists(st.integers(0, 400), max_size=RETRIES, unique=True), st.integers(0, 3), st.integers(0, 8),
    st.integers(1, 3000), st.sampled_from([(255, 256), (1000, 65536)]),
)
def test_tap_through_losses_is_a_tap_without(losses: list[int], late: int, fsci: int, size: int, limits: tuple[int, int]) -> None:
    wallet = SigningWallet([at in losses for at in range(401)], late, fsci)
    found, _ = tap(wallet, nfc_reader.handover([NfcCarrier()], DRAW))
    assert found == wallet.negotiated.handover
    tap(wallet, nfc_reader.open_retrieval())
    message = bytes(byte % 251 for byte in range(size))
    assert tap(wallet, nfc_reader.retrieve(message, *limits))[0] == message * 3
    assert wallet.heard == [message]
