"""Every text that a person reads goes through here: gettext of the standard library, domain ``reports``.

English is the language of the source, so ``en`` needs no file. Another language, ``zh-TW``, is one compiled catalogue,
``locale/zh_TW/LC_MESSAGES/reports.mo``, made from the ``reports.po`` beside it (see ``docs/reference/report.md``).
Values are filled in *after* translation, by name, so that a language may order them as it likes.
"""

from __future__ import annotations

import gettext
from dataclasses import dataclass, field
from pathlib import Path

DOMAIN = "reports"
LOCALE = Path(__file__).parent / "locale"


class ReportError(ValueError):
    """The report cannot be made from what was handed in. Text: what, where, what to do."""


def N_(text: str) -> str:
    """Marks a text for extraction where it is defined; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Catalogue:
    """The texts of one language; ``language`` is its tag (BCP 47), as HTML takes it."""

    language: str = "en"
    translations: gettext.NullTranslations = field(default_factory=gettext.NullTranslations)

    def say(self, text: str, /, **values: object) -> str:
        """The text in this language, its ``{names}`` filled in."""
        translated = self.translations.gettext(text) if text else ""
        return translated.format(**values) if values else translated

    def say_n(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The text in this language for ``n`` of something; ``{n}`` is the number, grouped."""
        return self.translations.ngettext(one, many, n).format(n=f"{n:,}", **values)

    @property
    def chinese(self) -> bool:
        """True when the field's official words, which are Chinese, are of the reader's own language."""
        return self.language.startswith("zh")

    def sentences(self, *parts: str) -> str:
        """Sentences one after the other, apart as the language has it; empty ones are left out."""
        said = [part for part in parts if part]
        whole = said[0] if said else ""
        for part in said[1:]:
            whole = self.say("{sentence} {next}", sentence=whole, next=part)
        return whole

    def join(self, parts: list[str]) -> str:
        """'a, b and c'."""
        if len(parts) < 2:
            return "".join(parts)
        return self.say("{first} and {last}", first=self.say(", ").join(parts[:-1]), last=parts[-1])


def languages() -> list[str]:
    """The tags of the languages that there are: ``en``, and one for each compiled catalogue."""
    return sorted({"en", *(p.parts[-3].replace("_", "-") for p in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))})


def catalogue(language: str = "en") -> Catalogue:
    """The catalogue of a language. ReportError names those that exist when it is none of them."""
    if language == "en":
        return Catalogue()
    if language not in languages():
        raise ReportError(f"there is no report in language {language!r}; there is {', '.join(languages())}")
    return Catalogue(language, gettext.translation(DOMAIN, LOCALE, languages=[language.replace("-", "_")]))
