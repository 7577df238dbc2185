"""Images of the cards that are in presenters, each in the state folder of its presenter.

An image is renewed before every answer that follows a commit: a presenter that is killed leaves a card torn before or after its
commit, and nothing is lost (a power cut of the machine is not covered: nothing is flushed to the disk's surface). It is removed
when the card has been taken out and given back.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from virtual_devices.errors import LinkError, UsageError

FILE_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}")
"""What can name a file: a card by its number, a presenter."""


def image_path(state_folder: Path, card_no: str) -> Path:
    """Where the image of a card is kept. UsageError when the number could not be a file's name."""
    if not FILE_NAME.fullmatch(card_no):
        raise UsageError(f"card number {card_no!r}: 1 to 64 letters, digits, '-', '_', '.' are possible")
    return state_folder / f"{card_no}.image"


def save_image(state_folder: Path, card_no: str, image: bytes) -> None:
    """Replace the image in one step: a reader sees the old one or the new one, whole. A folder that somebody removed is made
    again. LinkError when the image cannot be kept."""
    path = image_path(state_folder, card_no)
    fresh = path.with_suffix(".new")
    try:
        for folder in (state_folder.parent, state_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(image)
        fresh.replace(path)
    except OSError as error:
        raise LinkError(f"cannot keep the card's image in {fresh}: {error.strerror}") from error


def forget_image(state_folder: Path, card_no: str) -> None:
    """Remove the image: the card has left the presenter, and whoever took it has the newest one."""
    with suppress(OSError):
        image_path(state_folder, card_no).unlink()


def last_image(state_folder: Path, card_no: str) -> bytes | None:
    """The image as the presenter left it, also after it was killed; None when it never had that card."""
    try:
        return image_path(state_folder, card_no).read_bytes()
    except FileNotFoundError:
        return None


__all__ = ["FILE_NAME", "forget_image", "image_path", "last_image", "save_image"]
