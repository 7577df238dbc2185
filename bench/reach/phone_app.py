"""What the holder of the phone under test does with its app besides consenting: its codes, its cards, its power.

Our own presenter is led over its control channel, and shows what a case wants in the picture that the bench reads. Of somebody
else's phone a person is asked, and what nobody can do with it is not applicable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.drivers import RealLink
from bench.files import write
from bench.hands import Hands, Step
from bench.phone_acts import BROKE
from bench.phone_image import PhoneImage
from bench.reach.hand import Hand
from bench.reach.phone_line import AS, PhoneLine
from bench.reader_link import ScreenLink
from conformance.references.wallet import PIN, WARD, Contents, phone_of
from conformance.tester import CannotShow
from conformance.vectors.pictures import png
from conformance.vectors.world import CARD_NO, World
from virtual_devices.clock import Clock
from virtual_devices.flow import Exchange, Flow, Session, run
from virtual_devices.link import Attempt, Link, Outcome
from virtual_devices.qr.parts import read_part
from virtual_devices.qr.text import CARD, PART, PRESCRIPTION, MalformedCode
from virtual_devices.reader.proximity import ROLE as WALLET
from virtual_devices.reader.proximity import SCREEN
from virtual_devices.trace import ExchangeRow, Record, discard
from virtual_devices.wallet.faces import SCAN
from virtual_devices.write_back import WriteOutcome

ISSUERS = "a wallet in somebody's hands holds what its issuer has put there"
NO_SCREEN = "the way to it has no camera before its screen: it is met in a field"
NO_LINE = "its line to the data centre does not lead to the bench"
THERE_S, NONE_S = 10.0, 0.6
"""Longest wait for a code that is shown; and so long one is looked for that should not be there."""
ONLINE_S = 60.0
"""Longest time for something online: three requests, each of which may wait for its answer."""
GLANCE_S = 0.5
"""One look while a person is at it."""
LOOK_S = 0.02
PINNED_SEED = 1


class Eyes:
    """Looks at the screen for a code that it has not seen, and notes what it saw as rows."""

    def __init__(self, screen: RealLink | None, clock: Clock) -> None:
        self.record: Record = discard
        self.name = ""
        self._screen, self._clock = screen, clock
        self._last: set[str] = set()

    def look(self, kinds: Sequence[str], limit_s: float, what: str) -> str:
        """The text; empty when none came. Raises CannotShow."""
        if self._screen is None:
            raise CannotShow(NO_SCREEN)

        def scan() -> Flow[str]:
            attempt: Attempt = yield Exchange(SCREEN, SCAN, limit_s, what)
            return "" if attempt.reply is None else attempt.reply.decode("utf-8", "replace")

        way = _Showing(self._screen, lambda text: text.startswith(tuple(kinds)) and text not in self._last)
        text: str = run(scan(), Session({SCREEN: way}, self._clock, record=self.record, name=self.name, flow="conform"))
        if text:
            self._last.add(text)
        return text


    def told(self, act: str, answer: str) -> None:
        """What the app says of something that its holder did."""
        self.record(ExchangeRow(
            replication=0, visit="", session=self.name, flow="conform", step=act, role=WALLET, channel="app", device="",
            provenance="presented", at_ns=self._clock.now_ns(), duration_ns=0, outcome=Outcome.REPLIED.value,
            request=act.encode(), reply=answer.encode(), request_bytes=len(act), reply_bytes=len(answer), status="", fault="",
            sent_ns=-1,
        ))


class _Showing(ScreenLink):
    """The screen, until it shows something that fits."""

    def __init__(self, inner: RealLink, fits: Callable[[str], bool]) -> None:
        super().__init__(inner)
        self._fits = fits

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        began_s, began_ns = time.monotonic(), time.perf_counter_ns()
        while (left_s := began_s + timeout_s - time.monotonic()) > 0:
            attempt = super().attempt(message, left_s)
            if attempt.reply is None or self._fits(attempt.reply.decode("utf-8", "replace")):
                return attempt
            time.sleep(LOOK_S)
        return Attempt(Outcome.TIMED_OUT, time.perf_counter_ns() - began_ns)


class LedApp:
    """Of the phone that our presenter shows. ``changed``: it is another phone than at first, or shows another card."""

    def __init__(self, hand: Hand, eyes: Eyes, home: Callable[[], PhoneLine], *, in_field: bool) -> None:
        """``home``: the phone's data centre, served when it is needed."""
        self.changed = self._away = False
        self._hand, self._eyes, self._home, self._in_field = hand, eyes, home, in_field
        self._world, self._name, self._filled = World(0), "", 0

    def begin(self, world: World, name: str, record: Record) -> None:
        self._world, self._name = world, name
        self._eyes.record, self._eyes.name = record, name

    def ready(self) -> None:
        """The screen shows how the phone is met, whatever stood there."""
        if self._away and not self._in_field:
            self._hand.holder("engage")
        self._away = False

    def lacks(self, act: str) -> str:
        return NO_SCREEN if self._in_field and act in ("code", "prescriptions") else ""

    def fill(self, contents: Contents) -> None:
        self._filled += 1
        name = f"{self._name} {self._world.now_ns} {self._filled}"
        phone = phone_of(self._world, name, contents, PINNED_SEED)
        attests = (f"vectors {self._world.seed}", self._world.epoch_ns) if contents.empty else None
        image = PhoneImage(
            PINNED_SEED, name, self._world.authority.root_der, "" if contents.empty else CARD_NO, PIN, phone.vault.backup(),
            phone.keystore.cells(), attests, contents.negotiated,
        )
        self.changed, self._away = True, False
        self._hand.replace(image.to_bytes())
        self._hand.holder("lead")
        if contents.scope:  # which card is chosen is not in an image
            self.choose(WARD)

    def bring(self, entry: bytes) -> WriteOutcome:
        outcome = WriteOutcome(self._hand.holder("bring", entry=entry)["outcome"])
        self._eyes.told("bring", outcome.name)
        return outcome

    def online(self, line: Link, act: str, **given: Any) -> tuple[str, str]:
        """As ``WalletMadeUp.online``, over HTTPS. Raises TimeoutError when it comes to no end."""
        self._away = True
        home = self._home()
        self._hand.holder("online", what=act, given=given, url=home.url, credentials=str(home.credentials), **{"as": AS})
        became: dict[str, Any] = {}

        def over() -> bool:
            became.update(self._hand.holder("online"))
            return bool(became["over"])

        if not home.serve(line, over, ONLINE_S):
            raise TimeoutError(f"{act} is not over after {ONLINE_S:g} s")
        if became["code"] == BROKE:
            raise TimeoutError(became["name"])
        self._eyes.told(act, became["code"])
        return str(became["code"]), str(became["name"])

    def choose(self, card: str) -> None:
        self.changed = self._away = True
        self._hand.holder("choose", card=card)

    def restart(self) -> None:
        self._away = True
        self._hand.holder("restart")

    def code(self, challenge: str = "") -> str:
        self._away = True
        shown = self._hand.holder("show", challenge=challenge)["shown"]
        return self._eyes.look((CARD,), THERE_S if shown else NONE_S, "scan the card's code")

    def prescriptions(self) -> list[list[str]]:
        self._away = True
        found = []
        for number, parts in enumerate(self._hand.holder("prescriptions")["codes"]):
            texts = []
            for part in range(parts):
                self._hand.holder("show", number=number, part=part)
                texts.append(self._eyes.look((PRESCRIPTION, PART), THERE_S, "scan a prescription's code"))
            found.append(texts)
        return found


class AskedApp:
    """Of somebody else's phone: a person does it. ``picture``: where the bench shows a reader's own code to the phone."""

    changed = False

    def __init__(self, hands: Hands, person_s: float, eyes: Eyes, picture: str) -> None:
        self._hands, self._person_s, self._eyes, self._picture = hands, person_s, eyes, picture

    def begin(self, world: World, name: str, record: Record) -> None:
        del world
        self._eyes.record, self._eyes.name = record, name

    def ready(self) -> None:
        """Whoever holds it shows how it is met."""

    def lacks(self, act: str) -> str:
        if act in ("fill", "bring", "choose"):
            return ISSUERS
        if act == "online":
            return NO_LINE
        return self._hands.why_none

    def code(self, challenge: str = "") -> str:
        about = "that of the card (卡片條碼)"
        if challenge:
            if not self._picture:
                raise CannotShow("a reader's own code is shown to the phone in a picture: 'challenge' in the PIXIT names it")
            write(Path(self._picture), png(challenge))
            about = f"that of the card for the reader whose code is in {self._picture} (給該讀取者之卡片條碼)"
        return self._shown(f"{about}; done too where the phone shows none (手機不出示時亦按完成)")

    def _shown(self, about: str) -> str:
        text = ""

        def seen() -> bool:
            nonlocal text
            text = text or self._eyes.look((CARD,), GLANCE_S, "scan the card's code")
            return bool(text)

        self._ask(Step.SHOW_CODE, about, seen)
        return text or self._eyes.look((CARD,), NONE_S, "scan the card's code")

    def prescriptions(self) -> list[list[str]]:
        texts: list[str] = []

        def seen() -> bool:
            text = self._eyes.look((PRESCRIPTION, PART), GLANCE_S, "scan a prescription's code")
            texts.extend([text] if text else [])
            return False

        about = "those of all prescriptions, one after the other, then done (逐一出示全部處方箋條碼後完成)"
        self._ask(Step.SHOW_CODE, about, seen)
        seen()
        return _sets(texts)

    def restart(self) -> None:
        self._ask(Step.SWITCH_OFF, "")
        self._ask(Step.SWITCH_ON, "")

    def fill(self, contents: Contents) -> None:
        del contents
        raise CannotShow(ISSUERS)

    def bring(self, entry: bytes) -> WriteOutcome:
        del entry
        raise CannotShow(ISSUERS)

    def online(self, line: Link, act: str, **given: Any) -> tuple[str, str]:
        del line, act, given
        raise CannotShow(NO_LINE)

    def choose(self, card: str) -> None:
        del card
        raise CannotShow(ISSUERS)

    def _ask(self, step: Step, about: str, seen: Callable[[], bool] = lambda: False) -> None:
        if self._hands.why_none:
            raise CannotShow(self._hands.why_none)
        if not self._hands.ask(step, self._person_s, seen, about=about):
            raise CannotShow(f"the person did not do it within {self._person_s:g} s: {step.value} {about}", open=True)


App = LedApp | AskedApp


def _sets(texts: Sequence[str]) -> list[list[str]]:
    """Those that belong together, in the order of their numbers; each other one by itself."""
    found: dict[object, list[tuple[int, str]]] = {}
    for text in dict.fromkeys(texts):
        key: Any = text
        number = 0
        if text.startswith(PART):
            try:
                part = read_part(text)
                key, number = part.of, part.number
            except MalformedCode:
                pass
        found.setdefault(key, []).append((number, text))
    return [[text for _, text in sorted(each)] for each in found.values()]


__all__ = ["ISSUERS", "NO_SCREEN", "App", "AskedApp", "Eyes", "LedApp"]
