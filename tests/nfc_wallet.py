"""A wallet's NFC applications as a device behind a link, for tests: the session layer is a callable."""

from __future__ import annotations

from collections.abc import Callable

from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Flow, Session, T, run
from virtual_devices.link import DirectLink
from virtual_devices.mdoc.nfc_applications import Application, Applications
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.trace import ExchangeRow, Row


class NfcWallet:
    """Applications behind the device port; answers that come later come at once."""

    def __init__(self, *applications: Application, later: Callable[[], bytes] = lambda: b"") -> None:
        self.applications = Applications(*applications)
        self._later = later

    def power_on(self) -> bytes:
        self.applications.reset()
        return b""

    def power_off(self) -> None:
        self.applications.reset()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        response = self.applications.handle(request)
        if response is None:
            assert isinstance(self.applications.spoken_to, Retrieval)
            response = self.applications.spoken_to.reply(self._later()).to_bytes()
        return response


class Saying:
    """A device that answers with what is put into its mouth, in order, whatever it is asked."""

    def __init__(self, *replies: str) -> None:
        self.replies = [bytes.fromhex(reply) for reply in replies]
        self.asked: list[bytes] = []

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        pass

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.asked.append(request)
        return self.replies.pop(0)


def tap(device: NfcWallet | Saying, flow: Flow[T]) -> tuple[T, list[ExchangeRow]]:
    """Run a reader's flow against the device: its result, and the exchanges."""
    clock = VirtualClock()
    rows: list[ExchangeRow] = []

    def keep(row: Row) -> None:
        assert isinstance(row, ExchangeRow)
        rows.append(row)

    result = run(flow, Session({"wallet": DirectLink(device, clock, channel="nfc")}, clock, record=keep))
    return result, rows
