"""What makes an input slow and finds nothing: the same chain verified, the same bytes signed, a hundred thousand times.

A verdict on a chain, a signature and its verification are functions of what goes in (signatures are deterministic, RFC 6979), so
each is worked out once and remembered. Bytes that were never seen are parsed and verified as ever: those are what fuzzing is for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from virtual_devices import pki
from virtual_devices.clock import NS

MOST = 50_000
"""Results remembered of each; then all are forgotten, and it begins anew."""
T = TypeVar("T")


class Remembered:
    """Results by arguments. What has no value to be known by (a key) is known by itself, and is kept: its id stays its own."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[Hashable, tuple[Any, object]] = {}

    def get(self, name: Hashable, keep: object, make: Callable[[], T]) -> T:
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[name] = make(), keep
        result: T = found[0]
        return result


def remember() -> None:
    """From now on, in this process. To be called before anything else of the bench has been imported."""
    signed, verified, checked = Remembered(), Remembered(), Remembered()
    sign, verify, check = pki.sign, pki.verify, pki.ChainVerifier.check

    def quick_sign(key: Any, message: bytes) -> bytes:
        return signed.get((id(key), message), key, lambda: sign(key, message))

    def quick_verify(key: Any, signature: bytes, message: bytes) -> bool:
        return verified.get((id(key), signature, message), key, lambda: verify(key, signature, message))

    def quick_check(self: Any, chain: Any, roles: Any, now_ns: int, revoked: Any = (), *, clockless: bool = False) -> Any:
        second = now_ns // NS, bool(now_ns % NS)  # certificates know no shorter time
        name = id(self), tuple(chain), frozenset(roles), second, frozenset(revoked), clockless
        return checked.get(name, self, lambda: check(self, chain, roles, now_ns, revoked, clockless=clockless))

    pki.sign, pki.verify, pki.ChainVerifier.check = quick_sign, quick_verify, quick_check  # type: ignore[method-assign]
