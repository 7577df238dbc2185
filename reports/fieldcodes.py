"""The field's return codes beside their texts. A code that no table has is shown as it came."""

from __future__ import annotations

from collections.abc import Iterable
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
    """What ``space:code`` or a bare ``code`` means; a bare one is looked for in ``spaces``.

    The same number can mean different things in two spaces: a bare code that both know is given with both meanings.
    """
    space, colon, bare = code.partition(":")
    if not colon:
        space, bare = "", code
    candidates = spaces if not space else (space,) if space in SPACES else ()
    found = [c for c in (lookup(bare, s) for s in candidates) if c.known]
    if not found:
        return CodeText(bare, space, "", "", "")
    return CodeText(bare, _both(c.space.value for c in found), _both(c.en for c in found), _both(c.zh for c in found),
                    _both(c.certainty.value for c in found))


def _both(texts: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(texts))
