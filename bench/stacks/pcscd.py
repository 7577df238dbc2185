"""A pcscd of our own, with virtual readers, beside the machine's or without one.

The daemon's socket path is compiled in, so it runs in a mount namespace of its own: a private folder takes the place of
``/run``, an empty one that of the driver folder, so that it can neither meet the machine's pcscd nor grab a USB reader.
Clients find it by the environment variable in :attr:`PrivatePcscd.env`. Several run side by side. No root is needed where
the kernel lets users make namespaces.

The driver listens on all interfaces (it knows no other way): whoever reaches the ports can insert a card.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from virtual_devices.errors import LinkError, UsageError

READY_LIMIT_S = 5.0
"""Longest wait for a started pcscd (2 to 17 ms on an idle machine)."""
STOP_LIMIT_S = 2.0
"""A pcscd that has not ended this long after SIGTERM (a card hangs in it) is killed."""
MAX_SLOTS = 16
"""pcscd drops further readers without an error."""
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Where free ports are looked for: below the range from which kernels give out ports of their own accord."""

INSTALL = "apt-get install --no-install-recommends pcscd vsmartcard-vpcd"


class PrivatePcscd:
    """A pcscd with ``slots`` virtual readers, started on entry and gone on exit, with its folder.

    ``ports[n]`` is where the card of ``readers[n]`` connects. The ports stay the same over :meth:`restart`. The driver
    makes readers in pairs: with an odd number pcscd lists one more.
    """

    def __init__(self, slots: int = 2, *, name: str = "Virtual PCD") -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise UsageError(f"a pcscd has 1 to {MAX_SLOTS} readers, not {slots}")
        self._slots = slots
        self._name = name
        self._locks: list[socket.socket] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._pcscd = ""
        self._folder: Path | None = None
        self.ports: tuple[int, ...] = ()
        self.readers: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The private folder: ``run`` (the daemon's /run), ``conf``, ``drivers``, ``log``."""
        if self._folder is None:
            raise UsageError("this pcscd is not open: use it as a context manager")
        return self._folder

    @property
    def env(self) -> dict[str, str]:
        """What a client needs in its environment to reach this pcscd and no other."""
        return {"PCSCLITE_CSOCK_NAME": str(self._socket)}

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def log(self) -> str:
        """What the daemon wrote so far."""
        return (self.folder / "log").read_text("utf-8", "replace")

    @property
    def _socket(self) -> Path:
        return self.folder / "run" / "pcscd" / "pcscd.comm"

    def __enter__(self) -> PrivatePcscd:
        self._pcscd, library = _tools()
        # A socket's path may have 107 bytes, and the folder must not vanish under the mount on /run.
        base = tempfile.gettempdir()
        self._folder = Path(tempfile.mkdtemp(prefix="pcscd-", dir="/tmp" if len(base) > 60 or base.startswith("/run") else base))
        try:
            self._lay_out(library)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _lay_out(self, library: Path) -> None:
        """One configuration entry gives two readers; each needs the driver under another name, or their globals clash."""
        for folder in ("run", "conf", "drivers", "empty"):
            (self.folder / folder).mkdir()
        entries, readers = [], []
        pairs = -(-self._slots // 2)
        self._locks, firsts = _reserve(pairs)
        for index, port in enumerate(firsts):
            copy = self.folder / "drivers" / f"libifdvpcd{index}.so"
            shutil.copyfile(library, copy)
            name = self._name if pairs == 1 else f"{self._name} {index}"
            entries.append(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {copy}\nCHANNELID 0x{port:04X}\n'
            )
            readers += [f"{name} 00 {slot:02X}" for slot in (0, 1)]
        (self.folder / "conf" / "vpcd").write_text("\n".join(entries))
        self.ports = tuple(first + slot for first in firsts for slot in (0, 1))[: self._slots]
        self.readers = tuple(readers[: self._slots])

    def start(self) -> None:
        """Start the daemon and wait until it listens. Nothing happens when it runs already."""
        if self._child is not None and self._child.poll() is None:
            return
        self._reap()
        shutil.rmtree(self.folder / "run" / "pcscd", ignore_errors=True)
        (self.folder / "run" / "pcscd").mkdir(mode=0o755)
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._ready():
            if self._child.poll() is not None:
                raise LinkError(f"the private pcscd ended with {self._child.returncode}: {self.log.strip()[-500:]}")
            if time.monotonic() > deadline:
                self.kill()
                raise LinkError(f"the private pcscd was not ready within {READY_LIMIT_S:g} s: {self.log.strip()[-500:]}")
            time.sleep(0.002)

    def _command(self) -> list[str]:
        drop = _version_value(self._pcscd, "usbdropdir")
        # The signal of a dying parent follows the thread that started the child.
        tied = shutil.which("setpriv") and threading.current_thread() is threading.main_thread()
        options = "--foreground --disable-polkit" if "--disable-polkit" in _output(self._pcscd, "--help") else "--foreground"
        script = (
            'cd "$0" && mount --bind run /run'
            + (f" && mount --bind empty '{drop}'" if drop and Path(drop).is_dir() else "")
            + f" && exec {'setpriv --pdeathsig KILL ' if tied else ''}'{self._pcscd}' {options} -c \"$0/conf\""
        )
        return ["unshare", *_unshare_options(), "sh", "-c", script, str(self.folder)]

    def _ready(self) -> bool:
        """The socket answers and the driver listens on each port (looked up, because a connection would be a card)."""
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(self._socket)):
                return False
        return set(self.ports) <= _listening()

    def stop(self) -> None:
        """End the daemon as an administrator would; killed when it does not."""
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
            self._reap()

    def kill(self) -> None:
        """End the daemon without a word."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the daemon, free the ports, remove the folder."""
        self.stop()
        for lock in self._locks:
            lock.close()
        self._locks = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _reap(self) -> None:
        """A zombie would pass for a running daemon."""
        if self._child is not None:
            self._child.wait()
            self._child = None


def _tools() -> tuple[str, Path]:
    """pcscd and the driver's library; LinkError naming what to install."""
    pcscd = shutil.which("pcscd") or shutil.which("pcscd", path="/usr/sbin:/usr/local/sbin")
    if pcscd is None or shutil.which("unshare") is None:
        raise LinkError(f"pcscd or unshare is not installed: {INSTALL} util-linux")
    drop = Path(_version_value(pcscd, "usbdropdir") or "/usr/lib/pcsc/drivers")
    libraries = sorted(drop.rglob("libifdvpcd.so*"))
    if not libraries:
        raise LinkError(f"no libifdvpcd.so below {drop}: {INSTALL}")
    return pcscd, libraries[0].resolve()


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=READY_LIMIT_S).stdout


def _version_value(pcscd: str, key: str) -> str:
    """A compiled-in path, as ``pcscd --version`` tells it."""
    match = re.search(rf"{key}=(\S+)", _output(pcscd, "--version"))
    return match.group(1) if match else ""


def _unshare_options() -> list[str]:
    """A user namespace where the kernel gives one; root does not need it. A chroot has no root mount whose propagation
    could be changed: there the namespace is taken as it is, once it is sure that its mounts stay inside."""
    refused = ""
    for options in (["-r", "-m"], ["-m"]):
        tried = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return options
        refused = tried.stderr.strip()
    options = ["-m", "--propagation", "unchanged"]
    if _mounts_stay_inside(options):
        return options
    raise LinkError(f"no mount namespace for a private pcscd ({refused}): run as root, or allow user namespaces")


def _mounts_stay_inside(options: list[str]) -> bool:
    """Try one mount in such a namespace, and see whether it shows here."""
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["unshare", *options, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        leaked = folder in Path("/proc/self/mountinfo").read_text()
        if leaked:
            subprocess.run(["umount", folder], capture_output=True, check=False)
        return tried.returncode == 0 and not leaked


def _reserve(pairs: int) -> tuple[list[socket.socket], list[int]]:
    """Pairs of neighbouring free ports, each held against other benches by a socket in the abstract name space."""
    locks: list[socket.socket] = []
    firsts: list[int] = []
    start = FIRST_PORT + os.getpid() % 1000 * 4
    for port in [*range(start, LAST_PORT, 2), *range(FIRST_PORT, start, 2)]:
        if len(firsts) == pairs:
            break
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0vhc-bench-port-{port}")
            for candidate in (port, port + 1):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("", candidate))
        except OSError:
            lock.close()
            continue
        locks.append(lock)
        firsts.append(port)
    if len(firsts) < pairs:
        raise LinkError(f"no {pairs} pairs of free TCP ports between {FIRST_PORT} and {LAST_PORT}")
    return locks, firsts


def _listening() -> set[int]:
    """TCP ports on which somebody listens here (IPv4; proc(5))."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {int(fields[1].rpartition(":")[2], 16) for fields in map(str.split, rows) if fields[3] == "0A"}


__all__ = ["PrivatePcscd"]
