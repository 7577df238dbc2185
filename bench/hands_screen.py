"""What a person with the device is told, large enough to be read from where the device lies: one picture of a terminal.

The headline is drawn with the fonts of the reports, two points of it to a character; the rest is text in Chinese and English.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from textwrap import wrap

from rich.cells import cell_len, chop_cells, set_cell_size

BLOCKS = " ▀▄█"
INK = 110
"""From how dark on (of 255) a point of a letter is drawn."""
MOST_PX, LEAST_PX = 28, 13
"""Height of the headline's letters: smaller ones cannot be told from each other."""
_REST = 11
"""Lines that everything but the headline takes."""


@dataclass(frozen=True, slots=True)
class Words:
    """A step in one language: a headline of few letters, and the whole sentence."""

    head: str
    says: str


class Step(Enum):
    """What a person is asked to do with a device under test. The PIN is entered on the device: the bench never asks for it."""

    TAP = "tap"
    INSERT = "insert"
    REMOVE = "remove"
    SWITCH_OFF = "switch-off"
    SWITCH_ON = "switch-on"
    ENTER_PIN = "enter-pin"
    AGREE = "agree"
    REFUSE = "refuse"
    SHOW_CODE = "show-code"
    READ = "read"


STEPS: dict[Step, tuple[Words, Words]] = {
    Step.TAP: (Words("TAP", "Hold the device to the reader, and leave it there."),
               Words("感應", "請將裝置靠近讀卡機，並停留在上面。")),
    Step.INSERT: (Words("INSERT", "Put the card into the reader."), Words("插卡", "請將卡片插入讀卡機。")),
    Step.REMOVE: (Words("REMOVE", "Take the device away from the reader."), Words("移開", "請將裝置自讀卡機移開。")),
    Step.SWITCH_OFF: (Words("OFF", "Switch the device off."), Words("關機", "請將裝置關機。")),
    Step.SWITCH_ON: (Words("ON", "Switch the device on, and wait until it is ready."),
                     Words("開機", "請將裝置開機，並等候至可使用。")),
    Step.ENTER_PIN: (Words("PIN", "Enter the PIN on the device itself."), Words("輸入密碼", "請在裝置上輸入密碼。")),
    Step.AGREE: (Words("AGREE", "Open the card in the app, and agree to what its screen asks."),
                 Words("同意", "請開啟應用程式中的卡片，並同意畫面上的要求。")),
    Step.REFUSE: (Words("REFUSE", "Say no to what the device's screen asks."), Words("拒絕", "請拒絕裝置畫面上的要求。")),
    Step.SHOW_CODE: (Words("CODE", "Hold the code on the device's screen before the camera."),
                     Words("出示條碼", "請將裝置畫面上的條碼對準鏡頭。")),
    Step.READ: (Words("READ", "Have the reader read the card that is before it now."),
                Words("讀卡", "請操作讀卡機，讀取目前在其感應區之卡片。")),
}
"""Step -> English, Chinese."""
_KEYS = ("Enter: done", "n: it cannot be done", "Enter：完成", "n：無法完成")
_TYPING = ("Enter: done", "Esc: it cannot be done", "Enter：完成", "Esc：無法完成")


def screen(
    step: Step, left_s: float, limit_s: float, size: tuple[int, int], *, about: str = "", chinese: bool = False,
) -> list[str]:
    """The lines of a terminal of ``size`` (columns, lines), each as wide as it is. ``about``: which device, for what."""
    return _picture(STEPS[step], _KEYS, (about,), left_s, limit_s, size, chinese)


def typing_screen(
    act: tuple[Words, Words], prompt: tuple[str, str], typed: str, left_s: float, limit_s: float, size: tuple[int, int], *,
    chinese: bool = False,
) -> list[str]:
    """The same, for an act after which something is typed. ``prompt``: what, in English and Chinese; ``typed``: so far."""
    asked = prompt[1] if chinese else prompt[0]
    return _picture(act, _TYPING, (asked, f"> {typed}_"), left_s, limit_s, size, chinese)


def _picture(
    words: tuple[Words, Words], keys: tuple[str, str, str, str], below: Sequence[str], left_s: float, limit_s: float,
    size: tuple[int, int], chinese: bool,
) -> list[str]:
    columns, lines = size
    english, zh = words
    first, second = (zh, english) if chinese else (english, zh)
    seconds = max(0, int(-(-left_s // 1)))
    done, cannot = keys[2:] if chinese else keys[:2]
    said = [*_wrapped(first.says, columns), *_wrapped(second.says, columns)]
    body = [
        *_headline(first.head, columns - 2, lines - _REST - max(0, len(said) - 2) - len(below) + 1), "",
        *said, "", _bar(left_s / limit_s, min(60, columns - 4)),
        f"剩餘 {seconds} 秒" if chinese else f"{seconds} s", "",
        f"{done}    {cannot}", *(each for line in below for each in _wrapped(line, columns) or [""]),
    ]
    top = max(0, (lines - len(body)) // 2)
    whole = [""] * top + body
    return [_centred(line, columns) for line in (whole + [""] * lines)[:lines]]


def _headline(text: str, columns: int, lines: int) -> list[str]:
    """As large as it fits; as plain text where it would be too small to read."""
    for px in range(MOST_PX, LEAST_PX - 1, -1):
        drawn = large(text, px)
        if len(drawn) <= lines and len(drawn[0]) <= columns:
            return drawn
    return [f"[ {text} ]"]


@cache
def large(text: str, px: int) -> list[str]:
    """A text drawn ``px`` points high in block characters, half as many lines."""
    import numpy as np  # here: a bench without hands draws nothing, and starts sooner

    from reports.fonts import bitmap

    points = bitmap(text, px) > INK
    if len(points) % 2:
        points = np.vstack([points, np.zeros((1, points.shape[1]), bool)])
    return ["".join(BLOCKS[int(up) + 2 * int(down)] for up, down in zip(*pair, strict=True))
            for pair in zip(points[::2], points[1::2], strict=True)]


def _wrapped(text: str, columns: int) -> list[str]:
    """Between words where it has spaces, as in English with a name in it; else anywhere."""
    wide = cell_len(text) - len(text)
    return wrap(text, columns - wide) if 4 * wide < len(text) else chop_cells(text, columns)


def _bar(share: float, columns: int) -> str:
    filled = round(max(0.0, min(1.0, share)) * columns)
    return "█" * filled + "░" * (columns - filled)


def _centred(text: str, columns: int) -> str:
    free = max(0, columns - cell_len(text))
    return set_cell_size(" " * (free // 2) + text, columns)


__all__ = ["STEPS", "Step", "Words", "large", "screen", "typing_screen"]
