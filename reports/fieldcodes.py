"""The field's return codes beside their texts. A code that no table has is shown as it came."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.codes import lookup

SPACES = ("cshis", "vhc", "upload-api")


@dataclass(frozen=True, slots=True)
class CodeText:
    """A return code, its space, its texts, and how sure they are; all but ``code`` are '' when unknown."""

    code: str
    space: str
    en: str
    zh: str
    certainty: str


def explain(code: str, spaces: tuple[str, ...] = SPACES) -> CodeText:
    """What ``space:code`` or a bare ``code`` means; a bare one is looked for in ``spaces``, in that order."""
    space, colon, bare = code.partition(":")
    if not colon:
        space, bare = "", code
    for candidate in (space,) if space in SPACES else () if space else spaces:
        found = lookup(bare, candidate)
        if found.known:
            return CodeText(bare, candidate, found.en, found.zh, found.certainty.value)
    return CodeText(bare, space, "", "", "")
