"""The field's return codes beside their texts. A code that no table has is shown as it came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reports.catalogue import N_, Catalogue
from virtual_devices.codes import code_of_sw, lookup

SPACES = ("cshis", "vhc", "upload-api")


_STATUS_WORDS = {  # ISO/IEC 7816-4, 5.6; 96nn are of the bench's profile: why a party was refused
    "9000": N_("success"), "61XX": N_("success, more data to fetch"), "6700": N_("wrong length"),
    "6882": N_("secure messaging not supported"), "6982": N_("security status not satisfied"),
    "6983": N_("authentication method blocked"), "6984": N_("reference data not usable"),
    "6985": N_("conditions of use not satisfied"), "6A80": N_("wrong data"), "6A82": N_("file or application not found"),
    "6A83": N_("record not found"), "6A84": N_("not enough memory"), "6A86": N_("wrong P1 or P2"),
    "6A88": N_("reference data not found"), "6B00": N_("wrong P1 or P2"), "6D00": N_("instruction not supported"),
    "6E00": N_("class not supported"), "6F00": N_("no precise diagnosis"), "0": N_("success"), "0000": N_("success"),
    "9601": N_("the other party's certificate has expired"), "9602": N_("the other party's certificate is not valid yet"),
    "9603": N_("the other party's certificate is revoked"), "9604": N_("the other party's certificate is of another role"),
    "9605": N_("the other party's certificate or signature is forged"),
}
_TRIES_LEFT = N_("tries left: the last digit")  # also the answer to a VERIFY that only asks, so not "failed"


def status_word(code: str) -> str:
    """What a card's status word means, '' when the standard leaves it to the application."""
    if len(code) == 4 and code.upper().startswith("63C"):
        return _TRIES_LEFT
    return _STATUS_WORDS.get(code.upper(), "")


@dataclass(frozen=True, slots=True)
class CodeText:
    """A return code, its space, its texts, and how sure they are; all but ``code`` are '' when unknown."""

    code: str
    space: str
    en: str
    zh: str
    certainty: str

    def meaning(self, words: Catalogue) -> str:
        """What it means in the reader's own language: the official words, or the English for them."""
        return (self.zh if words.chinese else "") or self.en


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


def explain_status(status: str) -> CodeText:
    """What a chip's status word says in the field's codes: 9420 stands for cshis:5020. A status word that stands for no
    known code comes back as it is, without texts."""
    try:
        found = lookup(code_of_sw(int(status, 16)) or "", "cshis")
    except ValueError:  # 61XX, or what a device made up
        return CodeText(status, "", "", "", "")
    return explain(f"cshis:{found.code}") if found.known else CodeText(status, "", "", "", "")


def _both(texts: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(texts))
