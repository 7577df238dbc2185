"""A device refuses what is wrong and never raises on what the other side sent, and the desk's flows end clearly.

A sample runs with the other tests; ``./bench.sh fuzz N`` runs N messages a device. What is sent follows from a seed, so a
failure names the message that it was.
"""

from __future__ import annotations

import pytest

from .fuzz_devices import CAMPAIGNS

MESSAGES = 1500


@pytest.mark.sample
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_device_answers_whatever_is_sent(name: str) -> None:
    CAMPAIGNS[name](MESSAGES, 0)
