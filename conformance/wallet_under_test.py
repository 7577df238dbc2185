"""A wallet under test as it is brought: the way to it, its holder, and what a bench can do with a wallet of its own.

Whoever brings one (a virtual one, or a real one behind a reader or a radio) gives a :class:`WalletUnderTest`. Cases see none of
these, but through :class:`conformance.kinds.wallet.WalletTester`, to which :class:`Acting` and :class:`MadeUp` are the holder and
the wallet: that it lets them act is a check.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar

from conformance.air import End
from conformance.references.wallet import Contents
from virtual_devices.clock import Clock
from virtual_devices.link import Link
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.reader.presentation import Medium
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import WriteOutcome

T = TypeVar("T")
Names = Mapping[str, Collection[str]]
"""Elements by namespace."""


class WalletHolder(Protocol):
    """The person with the wallet: of a virtual one the bench acts, of a real one it asks."""

    def agree(self, use: Use, names: Names, *, write: bool = True, proved: bool = True) -> None:
        """Open the wallet, prove who they are, and consent to these elements for one session. ``proved``: or try it without."""
        ...

    def prove(self) -> None:
        """Prove who they are, and no more."""
        ...

    def approve(self, use: Use, *, proved: bool = True) -> None:
        """Give what the screen asks for now. ``proved``: as in :meth:`agree`."""
        ...

    def refuse(self) -> None:
        """Say no to what the screen asks for now."""
        ...


class WalletUnderTest(Protocol):
    """A wallet, and the way to it. ``medium``: how it is met."""

    @property
    def medium(self) -> Medium: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def holder(self) -> WalletHolder: ...

    def meet(self) -> Mapping[str, Link]:
        """Links to the roles ``wallet`` and, where a code begins it, ``screen``: a new contact."""
        ...

    def part(self) -> None:
        """The contact is over: out of the field, or disconnected."""
        ...


class WalletMadeUp(Protocol):
    """What a bench can do with a wallet of its own besides."""

    def radio(self, mode: Mode) -> tuple[str, End]:
        """Met over Bluetooth in this mode, value by value: the code on its screen, and its end."""
        ...

    def fill(self, contents: Contents) -> None:
        """Another wallet in this one's place, which holds just this."""
        ...

    def bring(self, entry: bytes) -> WriteOutcome:
        """Records that come late, as the data centre hands them over; what the wallet tells it."""
        ...

    def choose(self, card: str) -> None:
        """The holder has it show another card."""
        ...

    def restart(self) -> None:
        """Switched off and on again."""
        ...

    def code(self, challenge: str = "") -> str:
        """The text of the card's code, for the reader whose code says ``challenge``; empty while there is none to be shown."""
        ...

    def prescriptions(self) -> list[list[str]]:
        """The texts of each prescription that it holds, one or several that belong together; the oldest first."""
        ...

    def online(self, line: Link, act: str, **given: Any) -> tuple[str, str]:
        """Something with the data centre over this line: the field's code of what became of it, and what it gave."""
        ...


class AskedOf(Protocol):
    """Has something done of which a check is that the wallet lets it happen. ``what``: in words."""

    def __call__(self, what: str, act: Callable[[], T]) -> T: ...


class Acting:
    """The holder's acts."""

    def __init__(self, asked_of: AskedOf, holder: WalletHolder) -> None:
        self._asked_of = asked_of
        self._holder = holder

    def agree(self, use: Use, names: Names, *, write: bool = True, proved: bool = True) -> None:
        self._asked_of("agree", lambda: self._holder.agree(use, names, write=write, proved=proved))

    def prove(self) -> None:
        self._asked_of("prove who they are", self._holder.prove)

    def approve(self, use: Use, *, proved: bool = True) -> None:
        self._asked_of("say yes", lambda: self._holder.approve(use, proved=proved))

    def refuse(self) -> None:
        self._asked_of("say no", self._holder.refuse)


class MadeUp:
    """What the bench does with a wallet of its own. ``filled`` is called when it has put another in this one's place."""

    def __init__(self, asked_of: AskedOf, wallet: Any, filled: Callable[[], None]) -> None:
        self._asked_of = asked_of
        self._wallet = wallet
        self._filled = filled

    def fill(self, contents: Contents) -> None:
        self._asked_of("fill", lambda: self._wallet.fill(contents))
        self._filled()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        do = getattr(self._wallet, name)
        return lambda *args, **kwargs: self._asked_of(name, lambda: do(*args, **kwargs))


__all__ = ["Acting", "AskedOf", "MadeUp", "Names", "WalletHolder", "WalletMadeUp", "WalletUnderTest"]
