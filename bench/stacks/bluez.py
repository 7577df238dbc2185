"""Bluetooth LE without a radio: a private D-Bus with an emulated ``org.bluez``, and the air beneath it.

    with PrivateBluetooth() as bluetooth:
        ble.open("", env=bluetooth.env)             bleak, unmodified, on its BlueZ backend
        present(..., transport=bluetooth.transport)     a controller on the same air, for a host of one's own

So the whole stack of a real machine runs but for the kernel and the radio. Trouble is made by :meth:`PrivateBluetooth.weather`,
``cut``, ``unplug``, ``power``, ``kill``.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.libraries import require
from bench.stacks.private_bus import PrivateBus
from virtual_devices.errors import LinkError

if TYPE_CHECKING:
    from bench.stacks.air import Weather

READY_LIMIT_S = 60.0
"""Longest wait for the service (2 s of one processor, most of it imports; more where others use it too)."""
ORDER_LIMIT_S = 20.0
STOP_LIMIT_S = 2.0


class PrivateBluetooth:
    """Started on entry, gone on exit. Several run side by side. ``seed``: of what the weather draws."""

    def __init__(self, weather: Weather | None = None, seed: object = 0) -> None:
        self.bus = PrivateBus()
        self._weather = weather
        self._seed = seed
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """What bleak needs in its environment to use this Bluetooth and no other."""
        return self.bus.env

    @property
    def transport(self) -> str:
        """Bumble's name of a controller on this air; each that opens it has one of its own."""
        return f"unix:{self.bus.folder / 'hci'}"

    @property
    def pid(self) -> int | None:
        """Of the process with the service and the air."""
        return self._child.pid if self._child else None

    def __enter__(self) -> PrivateBluetooth:
        self.bus.__enter__()
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the service, again after it was killed; on a new bus when that is gone."""
        require("bumble", "bleak", "dbus_fast")
        self.kill()
        if self.bus.pid is None:
            self.bus.start()
        place = self.bus.folder / "hci"
        place.unlink(missing_ok=True)
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        weather = json.dumps({} if self._weather is None else asdict(self._weather))
        with (self.bus.folder / "bluez.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.stacks._bluez", str(place), str(self._seed), weather],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **self.env, "PYTHONPATH": path},
            )
        self._said(READY_LIMIT_S)

    # -- trouble

    def weather(self, weather: Weather) -> None:
        """From now on the air is like this."""
        self._order({"do": "weather", "weather": asdict(weather)})

    def cut(self) -> None:
        """Every connection breaks off."""
        self._order({"do": "cut"})

    def unplug(self) -> None:
        """The adapter is taken out."""
        self._order({"do": "unplug"})

    def plug(self) -> None:
        self._order({"do": "plug"})

    def power(self, on: bool) -> None:
        """Bluetooth is switched on or off."""
        self._order({"do": "power", "on": on})

    def kill(self) -> None:
        """The service ends without a word, and with it every controller."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def close(self) -> None:
        if self._child is not None:
            if self._child.stdin is not None:
                self._child.stdin.close()
            try:
                self._child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
            self._reap()
        self.bus.close()

    def _order(self, order: dict[str, Any]) -> None:
        if self._child is None or self._child.stdin is None:
            raise LinkError("the emulated Bluetooth service does not run")
        try:
            self._child.stdin.write(json.dumps(order).encode() + b"\n")
            self._child.stdin.flush()
        except OSError as e:
            raise LinkError(f"the emulated Bluetooth service has ended: {self._log()}") from e
        self._said(ORDER_LIMIT_S)

    def _said(self, limit_s: float) -> None:
        """Wait for its next line."""
        assert self._child is not None and self._child.stdout is not None
        fd, line, until_s = self._child.stdout.fileno(), b"", time.monotonic() + limit_s
        while not line.endswith(b"\n"):
            left_s = until_s - time.monotonic()
            part = os.read(fd, 4096) if left_s > 0 and select.select((fd,), (), (), left_s)[0] else b""
            if not part:
                said, late = self._log(), time.monotonic() >= until_s
                self.kill()
                raise LinkError(f"the emulated Bluetooth service {'did not answer' if late else 'ended'}: {said}")
            line += part

    def _log(self) -> str:
        return (self.bus.folder / "bluez.log").read_text("utf-8", "replace").strip()[-800:]

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
            self._child = None


__all__ = ["PrivateBluetooth"]
