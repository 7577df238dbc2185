"""Hot plug of pictures and of folders that cameras write to: a :class:`bench.watch.Source` for ``qr:PATH``.

A camera that is unplugged takes its folder along, or its mount. Pictures that come and go within the folder are no events: a scan
looks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cbor2

from bench.drivers.qr import WORKER, Op, need_libraries
from bench.watch import Event, EventKind, WorkerSource
from bench.worker import Worker


class QrSource(WorkerSource):
    """One path: there, or not. ``env`` as in :func:`bench.drivers.qr.open`."""

    def __init__(self, path: str, *, env: Mapping[str, str] | None = None) -> None:
        moniker = f"qr:{path}"

        def read(report: bytes) -> Event:
            kind, at_ns, detail = cbor2.loads(report)
            return Event(EventKind(kind), moniker, at_ns, detail)

        super().__init__("qr", Worker(WORKER, env=env), Op.WATCH, read, str(Path(path).absolute()).encode())

    def start(self) -> None:
        """As :class:`WorkerSource`; LinkError when this installation cannot read pictures."""
        need_libraries()
        super().start()


__all__ = ["QrSource"]
