"""Ports for tests: no two processes get the same, and no kernel gives one out meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .places import ROOT
from .ports import free_port, free_ports

OTHER = """
import json, os, sys
os.getpid = lambda: int(sys.argv[1])
from tests.ports import free_ports
print(json.dumps(free_ports(8)))
"""


def test_no_port_is_given_twice() -> None:
    mine = [*free_ports(8), free_port()]
    said = subprocess.run([sys.executable, "-c", OTHER, str(os.getpid())], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len({*mine, *json.loads(said.stdout)}) == 17


def test_no_port_is_one_that_the_kernel_gives_out() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    assert all(1024 < port < first for port in free_ports(8))
