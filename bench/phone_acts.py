"""What the holder of our presented phone does with its app besides consenting, led over the control channel.

    show           a code of the card that is chosen (``challenge``: for the reader whose code says so), or of a prescription
                   (``number``, ``part``), on the screen
    prescriptions  how many codes each of its prescriptions has
    choose         another card is the one that is shown (``card``)
    restart        off and on again
    bring          records that come late (``entry``), as the data centre hands them over -> ``outcome``
    online         something with the data centre (``what``, ``given``) over HTTPS (``url``, ``credentials``, ``as``). It takes
                   its time: ``online`` without ``what`` tells whether it is over, and then its ``code`` and ``name``
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from virtual_devices.clock import Clock
from virtual_devices.errors import LinkError, PeerError, UsageError
from virtual_devices.flow import Flow, Session, run
from virtual_devices.qr.challenge import read_challenge
from virtual_devices.qr.text import MalformedCode
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.keystore import KeyDenied
from virtual_devices.wallet.phone import Phone

Show = Callable[[list[str]], None]
ONLINE: Mapping[str, Callable[..., Flow[Any]]] = {
    "apply": app.apply, "activate": app.activate, "rebind": app.rebind, "hold": app.hold, "sync": app.sync,
    "restore": app.restore_prescriptions,
}
BROKE = "9999"
"""The code of an act that fell over: none of the field's."""


class PhoneActs:
    """``turn``: held while something is done with the phone. ``show``: what puts texts on its screen; None where it has none."""

    def __init__(self, phone: Phone, clock: Clock, turn: threading.RLock) -> None:
        self.show: Show | None = None
        self._phone, self._clock, self._turn = phone, clock, turn
        self._codes: list[list[str]] = []
        self._begun: threading.Thread | None = None
        self._became: tuple[str, str] = ("", "")
        self.acts: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "show": self._show, "prescriptions": self._prescriptions, "choose": self._choose, "restart": self._restart,
            "bring": self._bring, "online": self._online,
        }

    def _show(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self.show is None:
            raise UsageError("this phone is presented without a screen")
        text = self._code_of(request) if "number" in request else self._code(str(request.get("challenge", "")))
        if text:
            self.show([text])
        return {"shown": bool(text)}

    def _code(self, challenge: str) -> str:
        """Of the card; empty while there is none to be shown."""
        try:
            asked = read_challenge(challenge) if challenge else None
            text: str = self._phone.card_qr(self._clock.now_ns(), asked)
        except (KeyDenied, MalformedCode, UsageError):
            return ""
        return text

    def _code_of(self, request: Mapping[str, Any]) -> str:
        text: str = self._codes[int(request["number"])][int(request["part"])]
        return text

    def _prescriptions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        self._codes = self._phone.prescription_codes()
        return {"codes": [len(texts) for texts in self._codes]}

    def _choose(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._phone.show(str(request["card"]))
        return {}

    def _restart(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        self._phone.start(self._clock.now_ns())
        return {}

    def _bring(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"outcome": self._phone.take_late(cbor2.loads(request["entry"]), self._clock.now_ns()).value}

    # -- online

    def _online(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if "what" not in request:
            over = self._begun is None or not self._begun.is_alive()
            code, name = self._became
            return {"over": over, "code": code, "name": name}
        if self._begun is not None and self._begun.is_alive():
            raise UsageError("it is still at the last one")
        what, given = ONLINE[request["what"]], {str(k): v for k, v in dict(request["given"]).items()}
        told = {"VHC_BENCH_CREDENTIALS": str(request["credentials"]), "VHC_BENCH_CREDENTIALS_AS": str(request["as"])}
        flow = what(app.App(self._phone, self._clock), **given)
        self._became = ("", "")
        self._begun = threading.Thread(target=self._done, args=(flow, str(request["url"]), told), name="app", daemon=True)
        self._begun.start()
        return {}

    def _done(self, flow: Flow[Any], url: str, told: Mapping[str, str]) -> None:
        from bench.drivers import http

        try:
            link = http.open(url, env=told)
            try:
                with self._turn:
                    found = run(flow, Session({"issuer": link}, self._clock, name=self._phone.name, flow="online"))
                self._became = ("0", found if isinstance(found, str) else "")
            finally:
                link.close()
        except Ended as e:
            self._became = (e.code, "")
        except (LinkError, PeerError, UsageError) as e:
            self._became = (BROKE, str(e))
        except Exception as e:  # the answers came from outside
            self._became = (BROKE, f"{type(e).__name__}: {e}")


__all__ = ["BROKE", "ONLINE", "PhoneActs", "Show"]
