"""One presentation on the holder's side, sans-IO: session messages in, session messages out.

    ENGAGED   the engagement has been shown; the first message must establish the session
    OPEN      requests are answered, at most :data:`MAX_REQUESTS`
    ENDED     nothing is answered but the termination

    state    message                           answer                              next
    ENGAGED  SessionEstablishment, opened      response                            OPEN
    ENGAGED  anything else                     status 10 or 11                     ENDED
    OPEN     data, opened                      response                            OPEN
    OPEN     data, opened, and a status        response                            ENDED
    OPEN     status 20                         nothing                             ENDED
    OPEN     anything else                     status 10 or 11                     ENDED
    ENDED    anything                          status 20                           ENDED

A message that does not open ends the session: somebody else had a hand in it, and the counter of nonces is at stake.
What is in a request is the application's to answer (``application.py``); one that is no request is answered with the
standard's status 11 inside the session, which goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices.mdoc import request, session
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.response import DeviceResponse, ResponseStatus
from virtual_devices.mdoc.session import CannotDecrypt, Cipher, SessionData, SessionStatus, Side, Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc

MAX_REQUESTS = 16
"""In one session: a visit needs three."""
Handover = tuple[bytes, bytes | None] | None
Answer = Callable[[DeviceRequest, Transcript, int], DeviceResponse]
"""What is said to a request: (request, transcript, moment in ns) -> response."""


class State(Enum):
    ENGAGED = "engaged"
    OPEN = "open"
    ENDED = "ended"


class HolderSession:
    """``key``: the ephemeral device key whose public half stands in the engagement. Good for one session."""

    def __init__(
        self, engagement: Engagement, key: ec.EllipticCurvePrivateKey, answer: Answer, handover: Handover = None,
    ) -> None:
        self.engagement = engagement
        self.state = State.ENGAGED
        self.transcript: Transcript | None = None
        self._key = key
        self._answer = answer
        self._handover = handover
        self._cipher: Cipher | None = None
        self._requests = 0
        self._last = False  # the message under way says that it is the last one

    def handle(self, message: bytes, now_ns: int) -> bytes:
        """The answer to one session message; empty when there is none to give. Never raises for what the message is."""
        if self.state is State.ENDED:
            return session.TERMINATION
        try:
            plain = self._establish(message) if self.state is State.ENGAGED else self._receive(message)
        except CannotDecrypt:
            return self._end(SessionStatus.ENCRYPTION_ERROR)
        except MalformedMdoc:
            return self._end(SessionStatus.DECODING_ERROR)
        if plain is None:
            self.close()
            return b""
        self.state = State.OPEN
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            return self._end(SessionStatus.TERMINATION)
        assert self._cipher is not None
        answer = SessionData(self._cipher.seal(self._respond(plain, now_ns).to_bytes())).to_bytes()
        if self._last:
            self.close()
        return answer

    def close(self) -> None:
        """The medium is gone, or the holder has put the phone away: keys are dropped."""
        self.state = State.ENDED
        self._cipher = None

    def _establish(self, message: bytes) -> bytes:
        found = session.read_establishment(message)
        self.transcript = Transcript(self.engagement.raw, found.reader_key_bytes, self._handover)
        self._cipher = Cipher(session.agree(self._key, found.reader_key), self.transcript, Side.DEVICE)
        return self._cipher.open(found.data)

    def _receive(self, message: bytes) -> bytes | None:
        found = session.read_data(message)
        if found.data is None:  # a status alone, whichever, ends the session
            return None
        self._last = found.status is not None
        assert self._cipher is not None
        return self._cipher.open(found.data)

    def _respond(self, plain: bytes, now_ns: int) -> DeviceResponse:
        assert self.transcript is not None
        try:
            asked = request.read(plain)
        except MalformedMdoc:
            return DeviceResponse(status=ResponseStatus.DECODING_ERROR)
        return self._answer(asked, self.transcript, now_ns)

    def _end(self, status: SessionStatus) -> bytes:
        self.close()
        return SessionData(status=status).to_bytes()


__all__ = ["MAX_REQUESTS", "HolderSession", "State"]
