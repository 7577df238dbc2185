"""The hand at a counter: the control channel by which cards are put in and taken out while software talks to the reader, and the
people at the desk are told what to type."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Mapping
from os import getpid
from types import MappingProxyType
from typing import Any

from bench.counter import Counter
from bench.presenters.control import CARD, Message
from bench.presenters.control_server import ControlServer, Respond
from bench.presenters.images import forget_image, image_path
from bench.presenters.turns import Turns
from virtual_devices.errors import UsageError

PEOPLE = "people"
"""``{"op": "people", "answers": {WHAT: TEXT}}``: what people type when they are asked for it, such as ``enter PIN``."""
LOOK_AGAIN_MS = 200
HAND_LIMIT_S = 10.0
MEDIUM = "control-software"


class Hand:
    """A thread that serves the control channel; cards change in the desk's own turns, never within a call."""

    def __init__(
        self, control: ControlServer, counter: Counter, turns: Turns, *, ours: bool,
        urls: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``ours``: the slot is of this process, and cards can be changed; with a real reader people do it. ``urls``: the faces,
        by which somebody finds this channel."""
        self._control, self._counter, self._turns, self._ours = control, counter, turns, ours
        self._urls = dict(urls)
        self._poll = select.poll()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="hand", daemon=True)

    def start(self, first: Callable[[], None] = lambda: None) -> None:
        """``first`` is done before anybody is served. Raises LinkError when another presenter has the name."""
        self._control.open(self._poll, self._asked)
        first()
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._control.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            for fd, _ in self._poll.poll(LOOK_AGAIN_MS):
                self._control.ready(fd)
            self._control.tidy()

    def _asked(self, request: Message, respond: Respond) -> None:
        acts: dict[str, Callable[[Message], Message]] = {
            "status": self._status, "insert": self._insert, "eject": self._eject, PEOPLE: self._people,
        }
        act = acts.get(str(request.get("op")))
        if act is None:
            respond({"error": f"unknown operation {request.get('op')!r}"})
            return
        if not self._ours and act not in (self._status, self._people):
            respond({"error": "the card is in a real reader: change it there"})
            return
        doing = self._turns.put(lambda: act(request))
        try:
            answer = doing.result(HAND_LIMIT_S)
        except Exception as error:  # the request came from outside; the card that is in stays in
            doing.cancel()  # one that has not begun is not done behind its asker's back
            respond({"error": f"not done: {error or type(error).__name__}"})
            return
        if respond(answer) and "image" in answer:
            forget_image(self._control.state_folder, str(answer.get("card_no", "")))

    def _status(self, request: Message) -> Message:
        slot = self._counter.slot
        return {
            "pid": getpid(), "medium": MEDIUM, "device": MEDIUM, "reader": "", "card_no": slot.card_no, "inserted": slot.occupied,
            "connected": True, "state_folder": str(self._control.state_folder), "takes": CARD, "urls": self._urls,
        }

    def _people(self, request: Message) -> Message:
        answers = request.get("answers")
        if not isinstance(answers, dict) or not all(isinstance(text, str) for pair in answers.items() for text in pair):
            raise UsageError("answers: a text for each thing that is asked for")
        self._counter.people(answers)
        return {}

    def _insert(self, request: Message) -> Message:
        image, card_no = request.get("image"), request.get("card_no")
        if not isinstance(image, bytes) or not isinstance(card_no, str):
            raise UsageError("image or card_no is missing")
        image_path(self._control.state_folder, card_no)
        self._counter.insert(image, card_no)
        return {"seen": True}

    def _eject(self, request: Message) -> dict[str, Any]:
        slot = self._counter.slot
        if not slot.occupied:
            raise UsageError("the slot is empty")
        card_no = slot.card_no
        return {"image": slot.take(), "card_no": card_no}


__all__ = ["PEOPLE", "Hand"]
