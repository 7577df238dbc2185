"""The data centre's application in process: whoever is to call, with their certificate and no network between."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal

from bench.clock import WallClock
from bench.datacentre.centre import SAMPLE_INSTITUTIONS, Centre, Newcomer, sample_institutions, sample_people
from bench.datacentre.credentials import CLINIC, PHARMACY, pem, write
from bench.datacentre.web.app import create_app
from bench.datacentre.web.connection import Patience
from bench.datacentre.web.identity import telling
from bench.datacentre.web.limits import Limits
from bench.datacentre.web.service import Service
from bench.presenters.http import Server
from virtual_devices.clock import VirtualClock, to_datetime
from virtual_devices.cloud.books import Books, MemoryBooks
from virtual_devices.pki import Authority, Identity, Role
from virtual_devices.randomness import ByteStream
from virtual_devices.uploads.facts import VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.xml_writer import write as write_records

from .desk import AUTHORITY, NOW_NS
from .upload_visits import VISIT

CALLERS: Mapping[str, Identity] = {
    "clinic": AUTHORITY.issue(Role.INSTITUTION, "clinic software", organisation=CLINIC),
    "pharmacy": AUTHORITY.issue(Role.INSTITUTION, "pharmacy software", organisation=PHARMACY),
    "officer": AUTHORITY.issue(Role.OFFICER, "officer 1"),
}


@dataclass
class Here:
    """One data centre with a few invented people. ``asked`` is one request by a caller of :data:`CALLERS`, or by nobody."""

    limits: Limits = field(default_factory=Limits)
    revoked: set[int] = field(default_factory=set)
    books: Books = field(default_factory=MemoryBooks)

    def __post_init__(self) -> None:
        self._portal: BlockingPortal | None = None
        self.clock = VirtualClock(NOW_NS)
        self.centre = Centre(AUTHORITY, self.books, ByteStream("tests", "data centre"))
        self.people = sample_people(1, 3, to_datetime(NOW_NS).date())
        sample_institutions(self.centre)
        for who in self.people:
            self.centre.take_in(who, NOW_NS)
        self.app = create_app(Service(self.centre, self.clock, self.revoked), self.limits)

    def asked(self, method: str, path: str, by: str | Identity = "", **kwargs: Any) -> httpx2.Response:
        identity = by if isinstance(by, Identity) else CALLERS.get(by)
        app = self.app if identity is None else telling(self.app, [pem(identity.chain[:1]).decode()])

        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="https://data-centre") as client:
                return await client.request(method, path, **kwargs)

        if self._portal is not None:
            return self._portal.call(ask)
        with start_blocking_portal() as portal:
            return portal.call(ask)

    @contextmanager
    def many(self) -> Iterator[None]:
        """For a test of very many requests: one thread asks all of them."""
        with start_blocking_portal() as portal:
            self._portal = portal
            try:
                yield
            finally:
                self._portal = None


def visit_facts(who: Newcomer, visited_ns: int, identifier: str, by: int = 0, **more: Any) -> VisitFacts:
    """A visit of one of the invented people at the invented clinic (``by`` 0) or pharmacy (1), as its record tells it."""
    institution, _, sam_id, professional = SAMPLE_INSTITUTIONS[by]
    holder = who.holder
    facts = replace(
        VISIT, institution=institution, sam_id=sam_id, professional_id=professional, national_id=holder.id_no,
        birth_date=holder.birth_date, card_no=who.card_no, visited_ns=visited_ns, identifier=identifier,
    )
    return replace(facts, **more)


def visit_file(*facts: VisitFacts, version: Version = Version.V20) -> bytes:
    """As it is uploaded."""
    return write_records([make(one, version) for one in facts])


@contextmanager
def served(
    directory: Path, *, books: Books | None = None, patience: Patience = Patience(), revoked: set[int] | None = None,
) -> Iterator[Served]:
    """A data centre on a free port of this machine, with today's certificates, until the end."""
    clock = WallClock()
    authority = Authority("served", clock.now_ns())
    centre = Centre(authority, books or MemoryBooks(), os.urandom)
    centre.act(lambda: sample_institutions(centre))
    files = write(directory, authority, ["localhost", "127.0.0.1"])
    app = create_app(Service(centre, clock, set() if revoked is None else revoked))
    keys = {"ca": files["ca"], "certificate": files["service"], "key": files["service-key"]}
    server = Server(app, "127.0.0.1", 0, **keys, patience=patience)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(60), "the service did not start"
        yield Served(server.url, directory, authority, centre, clock, server)
    finally:
        server.stop()
        thread.join(60)


@dataclass(frozen=True)
class Served:
    """Where a service is, and what it is made of."""

    url: str
    directory: Path
    authority: Authority
    centre: Centre
    clock: WallClock
    server: Server
