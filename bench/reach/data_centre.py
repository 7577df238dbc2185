"""A data centre as device under test, over HTTPS with client certificates: ``https://HOST:PORT``.

It trusts the bench's own authority of a directory, as ``vhc-bench present http`` makes one: PIXIT ``authority``, else the one
above ``VHC_BENCH_CREDENTIALS``. ``present http --for-conformance`` is begun anew for each case, and its officer is led; nobody
moves its clock: cases that need that do not apply. At somebody else's counter nobody stands either; and since theirs remembers,
what does not hold after the first case leaves that case open.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import cbor2
import httpx2

from bench.clock import WallClock
from bench.datacentre.credentials import own_authority
from bench.drivers import http
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.reach import Bounded, Means, RealWay
from conformance.kinds import Suite
from conformance.kinds.data_centre import DESK, PHONE, Officer
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import World
from virtual_devices.errors import LinkError
from virtual_devices.link import Attempt, Link, Outcome
from virtual_devices.pki import Authority
from virtual_devices.trace import ExchangeRow

FACES = {DESK: "/v1/messages/desk", PHONE: "/v1/messages/phone"}
CONTROL = "/v1/conformance"
CONTROL_S = 30.0
MOST_BYTES = (16 << 20) - 1024
REMEMBERS = "it may be an earlier case's doing, for this data centre remembers: begin it anew, and run this case alone"


class CentreOnline(RealWay):
    """One service, met as an institution's program."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._links: dict[str, http.HttpLink] = {}
        self._control: Control | None = None
        self._authority: Authority | None = None
        self._cases = 0

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        return suite.channels if [one.kind for one in found] == [Medium.HTTP] else ()

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # each case begins with a new one, where that can be
        authority = self._open()
        begun = self._control is not None and self._control.anew()
        self.ours = begun
        clock = WallClock()
        now_ns = clock.now_ns()
        world = World(self.means.seed, now_ns, authority.epoch_ns, trusted=authority, once=f"{now_ns} {name}")
        centre = RealCentre({face: _Carried(link, self.means.answer_s) for face, link in self._links.items()}, clock,
                            self._control if begun else None)
        tester = self.tested(centre, world, name if begun else f"{name} {now_ns}")
        if not begun and self._cases:
            tester.doubt = REMEMBERS
        self._cases += 1
        return tester

    def said(self, role: str) -> str:
        return next((link.last_error for link in self._links.values() if link.last_error), "")

    def _answers(self, row: ExchangeRow) -> bool:
        return row.outcome == Outcome.REPLIED.value and row.role == DESK

    def _open(self) -> Authority:
        if self._authority is None:
            place = self._directory()
            self._authority = own_authority(place)
            base, files = str(self.found[0]).rstrip("/"), place / "credentials"
            env = {**(self.means.env or {}), "VHC_BENCH_CREDENTIALS": str(files)}
            for face, path in FACES.items():
                self._links[face] = http.open(f"{base}{path}", env=env)
            self._control = Control(base, files)
        return self._authority

    def _directory(self) -> Path:
        """Raises LinkError where nobody has said."""
        said = self.means.answers.get("authority")
        named = os.environ.get("VHC_BENCH_CREDENTIALS", "")
        if isinstance(said, str) and said:
            return Path(said)
        if named:
            return Path(named).resolve().parent
        where = "authority = \"DIRECTORY\" in the PIXIT, or VHC_BENCH_CREDENTIALS=DIRECTORY/credentials"
        raise LinkError(f"whom {self.found[0]} trusts is not said: give {where}; 'vhc-bench present http' writes DIRECTORY")

    def close(self) -> None:
        links, control = self._links, self._control
        self._links, self._control, self._authority = {}, None, None
        for link in links.values():
            link.close()
        if control is not None:
            control.close()


class Control:
    """The resources of ``present http --for-conformance``, asked with an officer's certificate."""

    def __init__(self, base: str, files: Path) -> None:
        context = ssl.create_default_context(cafile=str(files / "ca.pem"))
        self._client: httpx2.Client | None = None
        if (files / "officer.pem").is_file():
            context.load_cert_chain(str(files / "officer.pem"), str(files / "officer.key"))
            self._client = httpx2.Client(base_url=base, verify=context, trust_env=False, timeout=CONTROL_S)

    def anew(self) -> bool:
        """Another data centre in this one's place. False: it has no such resource. Raises LinkError without an answer."""
        return self._client is not None and self._post("anew", {}) is not None

    def officer(self, act: str, args: Sequence[Any], more: Mapping[str, Any]) -> Any:
        """What the officer at its counter did. Raises LinkError."""
        found = self._post("officer", {"act": act, "args": [_plain(one) for one in args], "more": dict(more)})
        if found is None:
            raise LinkError(f"its officer does not {act.replace('_', ' ')}: is it served by this version of the bench?")
        return found["value"]

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        assert self._client is not None
        try:
            response = self._client.post(f"{CONTROL}/{path}", content=cbor2.dumps(body))
        except httpx2.HTTPError as e:
            raise LinkError(f"{self._client.base_url}: {e}") from None
        if response.status_code != 200:
            return None
        return cbor2.loads(response.content)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _plain(value: Any) -> Any:
    """As CBOR carries it."""
    if isinstance(value, frozenset | set):
        return sorted(_plain(one) for one in value)
    return value.value if isinstance(value, Enum) else value


class _Carried(Bounded):
    """What the driver's worker carries."""

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if len(message) > MOST_BYTES:
            raise CannotShow("the bench's own end of the connection sends no message above 16 MiB")
        return super().attempt(message, timeout_s)


class RealCentre:
    """The service (:class:`conformance.kinds.data_centre.DataCentreUnderTest`). ``control``: None where nobody leads it."""

    def __init__(self, links: Mapping[str, Link], clock: WallClock, control: Control | None) -> None:
        self.clock = clock
        self.officer: Officer = _Led(control)
        self._links = links

    def meet(self) -> Mapping[str, Link]:
        return self._links

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def later(self, seconds: float) -> NoReturn:
        raise CannotShow(f"it takes a wait of {seconds:g} s, and nobody moves this data centre's clock")


class _Led:
    """The officer at the counter, act by act."""

    def __init__(self, control: Control | None) -> None:
        self._control = control

    def __getattr__(self, act: str) -> Any:
        if act.startswith("_"):
            raise AttributeError(act)

        def done(*args: Any, **more: Any) -> Any:
            if self._control is None:
                raise CannotShow(f"it takes an act at the data centre's counter ({act.replace('_', ' ')}): nobody stands there")
            value = self._control.officer(act, args, more)
            return tuple(value) if act == "grant" else _rows(value)

        return done


def _rows(value: Any) -> Any:
    """A list with its rows as tuples, and whatever is a list in them."""
    return [_row(one) for one in value] if isinstance(value, list) else value


def _row(value: Any) -> Any:
    return tuple(map(_row, value)) if isinstance(value, list) else value


__all__ = ["CentreOnline", "RealCentre"]
