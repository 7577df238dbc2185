"""The PC/SC driver's worker, with a pcscd that has forgotten the card's protocol at the first command: a mock of that moment."""

from __future__ import annotations

from typing import Any

from smartcard import scard

from bench.drivers import _pcsc_worker

_transmit = scard.SCardTransmit
_left = [_pcsc_worker.PROTO_MISMATCH]


def forgetful(*arguments: Any) -> Any:
    return (_left.pop(), []) if _left else _transmit(*arguments)


if __name__ == "__main__":
    scard.SCardTransmit = forgetful
    _pcsc_worker.main()
