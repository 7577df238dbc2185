"""Our data centre before software under test: HTTPS with client certificates, begun anew for each case, its line led by the case.

The institutions and people are those of :mod:`conformance.town`. What becomes of a request is told as in process
(:class:`conformance.references.desks.Line`): a request that is lost, or whose answer is, has its connection broken off. What a
signed answer may be spoilt by is done to signed answers; the resources' own answers (JSON) are the data centre's because the
connection is, and so one that somebody else would have given is no answer at all.

Connections have certificates of an authority of their own, and are judged by the machine's clock; messages go by the bench's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench.clock import WallClock
from bench.datacentre.web.identity import Gate
from bench.presenters.http import Server
from bench.reach import connections
from bench.reach.on_the_line import OnTheLine
from bench.reach.served import Served
from conformance.references.data_centre import ReferenceOfficer
from conformance.references.desks import Line
from conformance.vectors.world import World
from virtual_devices.clock import Clock, VirtualClock
from virtual_devices.errors import LinkError
from virtual_devices.trace import ExchangeRow


def address(url: str) -> tuple[str, int]:
    """Host and port at which it is to be served. Raises LinkError for what is no such address."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.port is None:
        raise LinkError(f"data_centre = {url!r}: https://HOST:PORT, an address of this computer")
    return "127.0.0.1" if parts.hostname == "localhost" else parts.hostname, parts.port


class ServedCentre:
    """One address, and behind it one data centre at a time. ``world``: its institutions, and the authority that it trusts;
    ``name``: all of it follows from that; ``clock``: of its messages, one of the world's moment when left out.

    ``url``; ``credentials``: a directory with ca.pem, clinic.pem, clinic.key, pharmacy.pem, pharmacy.key, which is ``directory``
    where software has been set to it before. Raises LinkError when it cannot be served.
    """

    def __init__(
        self, world: World, name: str, clock: Clock | None = None, *, host: str = "127.0.0.1", port: int = 0,
        directory: Path | None = None,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="vhc-bench-centre-")
        self.credentials = directory or Path(self._folder.name)
        files, issuer = connections.write(Path(self._folder.name), world.seed, sorted({*connections.HOSTS, host}))
        if directory is not None:
            connections.write_for_software(directory, world.seed)
        self._gate = Gate(issuer, (), WallClock().now_ns)
        self._app = self.anew(world, name, clock)

        async def answered(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await self._app(scope, receive, send)

        server = Server(answered, host, port, ca=files["ca"], certificate=files["service"], key=files["service-key"])
        self.url = f"https://localhost:{server.port}" if host == "127.0.0.1" else server.url
        self._served = Served(server, f"the data centre at {self.url}")

    def anew(self, world: World, name: str, clock: Clock | None = None) -> OnTheLine:
        """Another data centre in this one's place; who still waits for the former one's answer gets it."""
        self._app = OnTheLine(world, name, clock or VirtualClock(world.now_ns), self._gate)
        return self._app

    # -- what a case does

    @property
    def clock(self) -> Clock:
        return self._app.clock

    @property
    def line(self) -> Line:
        """To this data centre, also of a desk of ours."""
        return self._app.line

    @property
    def officer(self) -> ReferenceOfficer:
        return self._app.officer

    def line_is(self, fates: Sequence[str], *, down: bool = False) -> None:
        """What becomes of the next requests, as :class:`Line` has it."""
        self.line.fates, self.line.down = list(fates), down

    def heard(self) -> list[bytes]:
        """Requests, as they came, since this was asked last; those to resources as a desk would have said them."""
        found, self.line.heard = self.line.heard, []
        return found

    def evidence(self) -> list[ExchangeRow]:
        """What came over HTTPS since this was asked last, and what became of it."""
        found, self._app.rows = self._app.rows, []
        return found

    def tell_centre(self, message: bytes) -> bytes:
        """Another institution's signed request, by a line of its own."""
        return self._app.centre.desk_message(message, self.clock.now_ns())

    def consent(self, access_token: str, agreed: bool) -> bool:
        """The holder answers a request from afar in the app. False when there is none."""
        centre = self._app.centre
        return centre.act(lambda: centre.software_60.answer_consent(access_token, agreed))

    def also_hands_out(self, record: object, chains: Sequence[Sequence[bytes]]) -> None:
        """It hands out this too, with these chains, first among the records of each prescription."""
        self.line.also = record, [list(chain) for chain in chains]

    def close(self) -> None:
        self._served.stop()
        self._folder.cleanup()


__all__ = ["ServedCentre", "address"]
