"""A desk whose data centre keeps the files of cards: what the software kit of the virtual card and software 6.0 stand at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from virtual_devices.card.image import Personalisation
from virtual_devices.clock import NS, roc_date7
from virtual_devices.cloud.card_files import CardFiles
from virtual_devices.cloud.card_service import CardService
from virtual_devices.cloud.core import Person
from virtual_devices.cloud.cs60 import Cloud60
from virtual_devices.cloud.envelope import EnvelopeCheck
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.cloud.token_operations import TokenOperations
from virtual_devices.pki import DAY_NS, ChainVerifier, Role
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import ByteStream
from virtual_devices.reader import cs60, sdk
from virtual_devices.reader.cs60 import LocalComponent
from virtual_devices.reader.sdk import VirtualCardSdk

from .control_desk import ControlDesk
from .cshis_story import RECORDS_INSIDE, WOMAN, desk_of
from .desk import AUTHORITY, CARD_NO, NOW_NS, issued

JSON = dict[str, Any]
DATA = Personalisation(
    CARD_NO, WOMAN, "1100101", roc_date7(NOW_NS + 700 * DAY_NS), emergency_tel="0912000000", last_sequence="1150003",
    records=RECORDS_INSIDE,
)


@dataclass
class CardCentre:
    """``desk``: the reader's side; ``cards``: the data centre's."""

    desk: ControlDesk = field(default_factory=desk_of)

    def __post_init__(self) -> None:
        bench = self.desk.bench
        self.clock = bench.clock
        fresh = ByteStream("tests", "card centre")
        self.cards = CardService(bench.core, CardFiles(), TokenOffice(fresh), b"k" * 32, fresh)
        self.cards.take_in(DATA)
        bench.core.enrol(Person(CARD_NO, expiry_date=roc_date7(NOW_NS + 700 * DAY_NS)))
        bench.cloud.offer(TokenOperations(self.cards, issued(Role.DATA_CENTRE, "IDC")).all())
        self.envelopes = EnvelopeCheck(ChainVerifier(AUTHORITY.root_der), DATA_CENTRE_ID)
        self.cloud = Cloud60(self.cards, self.envelopes)
        self.component = LocalComponent(self.desk.software)
        self.kit = VirtualCardSdk(self.desk.software)

    def later(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.now_ns() + round(seconds * NS))

    def token(self, card_no: str = CARD_NO) -> str:
        """A code on the holder's screen now."""
        return self.cards.tokens.issue(card_no, self.clock.now_ns())

    # -- the local face of 6.0

    def local(self, method: str, path: str, **body: Any) -> JSON:
        reply: JSON = self.desk.run(cs60.answer(self.component, method, path, body))
        return reply

    def begin(self, *, virtual: bool = False, doctor: bool = False) -> CardCentre:
        """Initialised; with a virtual card in use, with a professional whose PIN was verified."""
        assert self.local("POST", "/api/common/v1/Initial")["statusCode"] == "0"
        if doctor:
            assert self.local("POST", "/api/hpc/v1/Verification/Hpc", pin="246810")["statusCode"] == "0"
        if virtual:
            token = self.token()
            assert self.local("POST", "/api/hc/v1/VirtualHc/ReadBasic", token=token)["statusCode"] == "0"
            assert self.local("POST", "/api/hc/v1/Verification/VirtualHc", token=token)["statusCode"] == "0"
        return self

    def envelope(self, kind: str = "Hc", service_type: str = "01") -> JSON:
        paths = {"Hc": "/api/hc/v1/Signature/Hc", "HpcHc": "/api/hc/v1/Signature/HpcHc", "Sam": "/api/sam/v1/Signature",
                 "Hpc": "/api/hpc/v1/Signature"}
        reply = self.local("POST", paths[kind], serviceType=service_type)
        assert reply.pop("statusCode") == "0", reply
        return reply

    # -- the cloud's face

    def ask(self, path: str, body: Any) -> JSON:
        return self.cloud.answer(path, body, self.clock.now_ns())

    def signed(self, path: str, **body: Any) -> JSON:
        """A cloud call with the envelope that its row wants."""
        kind, service_type = self.cloud._wants[path]
        return self.ask(path, {**self.envelope(kind.value, service_type), **body})

    # -- the kit's face

    def kit_call(self, path: str, **body: Any) -> JSON:
        reply: JSON = self.desk.run(sdk.answer(self.kit, path, body))
        return reply

    def scanned(self) -> CardCentre:
        assert self.kit_call("VHC/VHCcsOpenCom") == {"ERRORCODE": "0"}
        assert self.kit_call("QRCodeReader/uploadqrcode", QRCodeString=self.token()) == {"ERRORCODE": "0"}
        return self
