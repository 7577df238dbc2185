"""A reader as somebody else's program: reads whatever comes into its field over NFC, and writes what it makes of it into a log.

    python -m tests.vendor_reader udp:HOST:PORT LOG
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.drivers import nfc
from bench.sample_phone import phone_epoch_ns
from conformance.kinds.reader import reader_lists
from conformance.references.reader import ReferenceReader, Task, Told
from conformance.vectors.world import World
from virtual_devices.link import Outcome
from virtual_devices.pki import Authority
from virtual_devices.wallet.faces import NFC_ATR

LOOK_S, ANSWER_S = 0.2, 10.0


def read(link: nfc.NfcLink, number: int) -> Told:
    """One card, to its end."""
    now_ns = time.time_ns()
    epoch_ns = phone_epoch_ns(now_ns)
    world = World(1, now_ns, epoch_ns, trusted=Authority(1, epoch_ns))
    reader = ReferenceReader(world, "nfc", f"vendor {number}")
    reader.take_lists(reader_lists(world))
    said = reader.begin(Task.REGISTER)
    while not isinstance(said, Told):
        if said.message:
            attempt = link.attempt(said.message, min(said.timeout_s, ANSWER_S))
            said = reader.answer(attempt.outcome, attempt.reply)
        else:  # it has the card in its field
            said = reader.answer(Outcome.REPLIED, NFC_ATR)
    return said


def main(path: str, log: Path) -> None:
    number = 0
    with nfc.open(path) as link:
        while True:
            if link.connect(LOOK_S).outcome is not Outcome.REPLIED:
                continue
            number += 1
            told = read(link, number)
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(told), ensure_ascii=False) + "\n")
            while link.connect(LOOK_S).outcome is Outcome.REPLIED:  # until it is taken away
                time.sleep(LOOK_S)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
