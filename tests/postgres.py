"""A real PostgreSQL server of one's own: in a temporary directory, on a Unix socket only, ended with the test process."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

DEBIAN = Path("/usr/lib/postgresql")
WAIT_S = 60
PR_SET_PDEATHSIG = 1


def programs() -> Path | None:
    """Where initdb and postgres are: of Debian the newest, else on the PATH."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


class Server:
    """A running server. ``durable``: it writes to the disk what it has committed; slow, and for tests of crashes only."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        bin_ = programs()
        assert bin_ is not None
        self.directory, self._durable, self._bin = directory, durable, bin_
        self._data = directory / "data"
        if _user():
            shutil.chown(directory, *_user().values())
        self._run(
            [bin_ / "initdb", "-D", self._data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        )
        self.start()

    def _run(self, command: list[str | Path]) -> None:
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False, **_user())
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self.directory), "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        } | ({} if self._durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
        command = [str(self._bin / "postgres"), "-D", str(self._data), *[f"--{name}={value}" for name, value in options.items()]]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent,
                **_user(),
            )
        until = time.monotonic() + WAIT_S
        while True:
            try:
                psycopg.connect(self.dsn("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None and time.monotonic() < until, (self.directory / "log").read_text()
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once and in order; SIGQUIT: as if the machine had died, and its log is read at the next start."""
        self._process.send_signal(how)
        self._process.wait(WAIT_S)

    def dsn(self, database: str) -> str:
        return f"host={self.directory} user=bench dbname={database}"

    def url(self, database: str) -> str:
        return f"postgresql://bench@/{database}?host={self.directory}"

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return self.url(name)


def _user() -> dict[str, Any]:
    """A server does not run as root: then it is Debian's user for it, or nobody."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid}
    raise AssertionError("root cannot run a PostgreSQL server, and there is no user postgres or nobody")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """A server that ends with this, and leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="vhc-pg-", dir="/tmp") as name:  # a socket's path is short
        Path(name).chmod(0o755)
        server = Server(Path(name), durable=durable)
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # nothing is to be kept
