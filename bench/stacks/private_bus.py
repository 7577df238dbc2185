"""A D-Bus daemon of our own, beside the machine's or without one: for what speaks to a service of the system on a bus of its own.

Clients find it by the environment variable in :attr:`PrivateBus.env`. Everybody of this user may own any name on it; nobody else
reaches it, since its socket lies in a private folder. Several run side by side; no root is needed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from virtual_devices.errors import LinkError, UsageError

READY_LIMIT_S = 5.0
"""Longest wait for a started daemon (5 to 20 ms on an idle machine)."""
STOP_LIMIT_S = 2.0
INSTALL = "apt-get install --no-install-recommends dbus-daemon"

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """Started on entry, gone on exit with its folder. ``folder`` may hold sockets of those who use it."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            raise UsageError("this bus is not open: use it as a context manager")
        return self._folder

    @property
    def address(self) -> str:
        return f"unix:path={self.folder / 'bus'}"

    @property
    def env(self) -> dict[str, str]:
        """What a client of the system's bus needs in its environment to reach this one."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def __enter__(self) -> PrivateBus:
        base = tempfile.gettempdir()  # a socket's path may have 107 bytes
        self._folder = Path(tempfile.mkdtemp(prefix="bus-", dir="/tmp" if len(base) > 60 else base))
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the daemon and wait until it listens."""
        daemon = shutil.which("dbus-daemon")
        if daemon is None:
            raise LinkError(f"dbus-daemon is not installed: {INSTALL}")
        self.kill()
        place = self.folder / "bus"
        place.unlink(missing_ok=True)
        (self.folder / "bus.conf").write_text(_CONFIG.format(socket=place))
        command = [daemon, "--nofork", "--nopidfile", "--nosyslog", f"--config-file={self.folder / 'bus.conf'}"]
        # The signal of a dying parent follows the thread that started the child.
        tied = shutil.which("setpriv") and threading.current_thread() is threading.main_thread()
        with (self.folder / "log").open("ab") as log:
            leash = ["setpriv", "--pdeathsig", "KILL"] if tied else []
            self._child = subprocess.Popen([*leash, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit_s = time.monotonic() + READY_LIMIT_S
        while not _listens(place):
            ended = self._child.poll()
            if ended is not None or time.monotonic() > limit_s:
                said = (self.folder / "log").read_text("utf-8", "replace").strip()[-500:]
                self.kill()
                raise LinkError(f"the private bus {'ended' if ended is not None else 'was not ready in time'}: {said}")
            time.sleep(0.002)

    def kill(self) -> None:
        """End the daemon without a word: everybody on the bus loses it. :meth:`start` begins anew, at the same address."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def close(self) -> None:
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(place)) == 0


__all__ = ["PrivateBus"]
