"""A wallet that is a program: each case begins with a new one, which holds a credential that the bench has issued to its key.

It goes by the clock of the bench, so that limits of time are tried without waiting for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.reach import Bounded
from bench.reach.program import CHANNEL, Program, ProgramWay, Said, bytes_of
from bench.reach.virtual import world_of
from conformance.references.wallet import Contents
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import NOW_NS, PLACE, World
from conformance.wallet_under_test import Names
from virtual_devices import vhc
from virtual_devices.clock import VirtualClock
from virtual_devices.errors import LinkError
from virtual_devices.link import Attempt, Link, Outcome, Provenance
from virtual_devices.mdoc import cose_key
from virtual_devices.mdoc.mso import IssuerSigned, Validity, issue
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import DAY_NS
from virtual_devices.reader.presentation import Medium as Presented
from virtual_devices.reader.proximity import ROLE, SCREEN
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import WriteOutcome


class WalletProgram(ProgramWay):
    """``program:COMMAND``."""

    _wallet: ProgramWallet | None = None

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # each is
        world = world_of(self.means.seed)
        self._wallet = ProgramWallet(self.program, str(self.found[0]), world, name, self.means.answer_s)
        return self.tested(self._wallet, world, name)

    def said(self, role: str) -> str:
        del role  # one program is all of them
        return "" if self._wallet is None else self._wallet.said


class ProgramWallet:
    """One wallet (``WalletUnderTest``, and what can be made up). Raises LinkError when it does not
    take the credential."""

    medium = Presented.QR_BLE

    def __init__(self, program: Program, device: str, world: World, name: str, answer_s: float) -> None:
        self.clock = VirtualClock(NOW_NS)
        self.holder = _Holder(self)
        self.said = ""
        self._program, self._device, self._world, self._name, self._answer_s = program, device, world, name, answer_s
        self.fill(Contents())

    def ask(self, do: str, **more: object) -> Said:
        found = self._program.ask(do, self._answer_s, now_ms=self.clock.now_ns() // 10**6, **more)
        self.said = found.why
        return found

    def fill(self, contents: Contents) -> None:
        if contents.scope:
            raise CannotShow("a wallet that is a program is given no ward's card")
        found = self._must("new", trust=self._world.authority.root_der.hex())
        key = bytes_of(found.answer, "device_key")
        if contents.empty:
            return
        try:
            issued = self._issue(key or b"", contents)
        except MalformedMdoc as e:
            raise LinkError(f"{self._device}: device_key: {e.what}") from None
        self._must("hold", doctype=vhc.DOCTYPE, issuer_signed=issued.to_bytes().hex())

    def _issue(self, key: bytes, contents: Contents) -> IssuerSigned:
        world, from_ns = self._world, NOW_NS - 30 * DAY_NS
        return issue(
            vhc.DOCTYPE, world.holder.elements(b"", contents.former), cose_key.decode(key, "its key"), world.signer,
            Validity(from_ns, from_ns, contents.until_ns), world.fresh("credential", self._name), status=PLACE,
            authorised=vhc.AUTHORISED,
        )

    def _must(self, do: str, **more: object) -> Said:
        found = self.ask(do, **more)
        if not found.done:
            raise LinkError(f"{self._device}: {do}: {found.why}")
        return found

    def bring(self, entry: bytes) -> WriteOutcome:
        raise CannotShow("a wallet that is a program is brought no records by a data centre")

    def meet(self) -> Mapping[str, Link]:
        ways: Mapping[str, Link] = {SCREEN: _Screen(self, self._device), ROLE: _Line(self, self._device)}
        return {role: Bounded(way, self._answer_s) for role, way in ways.items()}

    def part(self) -> None:
        self.ask("part")


class _Link:
    channel, provenance = CHANNEL, Provenance.MEASURED

    def __init__(self, wallet: ProgramWallet, device: str) -> None:
        self._wallet, self.device = wallet, device


class _Screen(_Link):
    """The code on its screen: each look is a new engagement."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        del message, timeout_s
        said = self._wallet.ask("engage")
        text = said.answer.get("engagement")
        if said.done and isinstance(text, str):
            return Attempt(Outcome.REPLIED, said.duration_ns, text.encode("utf-8"))
        return _none(said)


class _Line(_Link):
    """Session messages."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        del timeout_s
        if not message:
            return Attempt(Outcome.REPLIED, 0, b"")
        said = self._wallet.ask("message", message=message.hex())
        reply = bytes_of(said.answer, "message")
        return Attempt(Outcome.REPLIED, said.duration_ns, reply) if said.done and reply is not None else _none(said)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """There is one wallet, and no medium."""
        del address, timeout_s
        return Attempt(Outcome.REPLIED, 0, b"")


def _none(said: Said) -> Attempt:
    """No message came. What it could not do it does not do later either: nothing comes of waiting."""
    return Attempt(Outcome.TIMED_OUT if said.outcome is Outcome.REPLIED else said.outcome, said.duration_ns)


class _Holder:
    """The person with the wallet: the program does what they do."""

    def __init__(self, wallet: ProgramWallet) -> None:
        self._wallet = wallet

    def agree(self, use: Use, names: Names, *, write: bool = True, proved: bool = True) -> None:
        listed = {space: sorted(elements) for space, elements in names.items()}
        self._do("agree", use=use.value, names=listed, write=write, proved=proved)

    def prove(self) -> None:
        self._do("prove")

    def approve(self, use: Use, *, proved: bool = True) -> None:
        self._do("approve", use=use.value, proved=proved)

    def refuse(self) -> None:
        self._do("refuse")

    def _do(self, act: str, **more: object) -> None:
        said = self._wallet.ask(act, **more)
        if said.outcome is not Outcome.REPLIED:
            raise TimeoutError(said.why)
        if said.why:
            raise CannotShow(f"its holder cannot {act}: {said.why}")


__all__ = ["ProgramWallet", "WalletProgram"]
