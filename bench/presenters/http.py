"""The data centre in front of others' software: HTTPS with client certificates, by uvicorn."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import uvicorn

from bench.datacentre.web.connection import Connection, Patience
from bench.presenters.door import Door
from virtual_devices.errors import LinkError


class Server:
    """One service on one address. ``port`` 0 takes any that is free; :attr:`port` says which.

    Raises LinkError when the address is taken.
    """

    def __init__(
        self, app: Any, host: str, port: int, *, ca: Path, certificate: Path, key: Path, patience: Patience = Patience(),
    ) -> None:
        self._socket = _bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app, http=Connection, ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False,
            ssl_certfile=str(certificate), ssl_keyfile=str(key), ssl_ca_certs=str(ca), ssl_cert_reqs=ssl.CERT_OPTIONAL,
            timeout_keep_alive=cast(int, patience.keep_alive_s), timeout_graceful_shutdown=cast(int, patience.closing_s),
        )
        config.load()
        assert config.ssl is not None
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        config.ssl.options |= ssl.OP_NO_RENEGOTIATION
        self.tls = config.ssl
        self._server = _Uvicorn(config, self._socket, patience)

    @property
    def url(self) -> str:
        return f"https://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until :meth:`stop`, or a signal when in the main thread. ``started`` is called once connections are taken."""
        asyncio.run(self._serve(started))

    async def _serve(self, started: Callable[[], None]) -> None:
        serving = asyncio.ensure_future(self._server.serve([self._socket]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        if self._server.started:
            started()
        await serving

    def stop(self) -> None:
        self._server.should_exit = True


class _Uvicorn(uvicorn.Server):
    """uvicorn, whose connections come through a :class:`Door`."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, patience: Patience) -> None:
        super().__init__(config)
        assert config.ssl is not None
        self._door = Door(
            listening, config.ssl, patience, lambda known, gone: Connection(config, self.server_state, patience, known, gone),
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.open()
        self.servers = cast(Any, [self._door])
        self.started = True


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as e:
        made.close()
        raise LinkError(f"{host}:{port} cannot be served: {e.strerror}; choose another with --port, or 0 for any") from None
    return made


__all__ = ["Server"]
