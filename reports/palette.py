"""The colours, each with a light and a dark form, and nothing but these: figures and pages share them by name.

Categories are Paul Tol's 'bright' scheme (distinct to colour-blind eyes), toned for text contrast. A figure is drawn in
the light form; :mod:`reports.picture` swaps each for a CSS variable, so that dark pages show dark figures.
"""

from __future__ import annotations

LIGHT_DARK: dict[str, tuple[str, str]] = {
    "paper": ("#fcfbf8", "#15181e"),
    "panel": ("#f3f1eb", "#1d2129"),
    "ink": ("#1f2530", "#ebe8e1"),
    "soft": ("#5b6472", "#a5adba"),
    "faint": ("#dedad1", "#363d49"),
    "blue": ("#2f6db0", "#6fb1f2"),
    "cyan": ("#2e9fc4", "#67d0f0"),
    "purple": ("#a32f74", "#e07ab4"),
    "olive": ("#a08a12", "#d9c64d"),
    "green": ("#23803a", "#62c47a"),
    "red": ("#c62f45", "#ff8b95"),
    "blue-pale": ("#c3d6ea", "#2b4258"),
    "cyan-pale": ("#c2e2ee", "#27485a"),
    "purple-pale": ("#e8c6d9", "#573049"),
    "olive-pale": ("#e6dfb6", "#4c4723"),
    "green-pale": ("#bfe0c8", "#264a31"),
    "red-pale": ("#f3d0d4", "#52292f"),
    "grey": ("#8b919b", "#7d8694"),
    "grey-pale": ("#d3d5d9", "#3c434e"),
}

LIGHT = {name: light for name, (light, _) in LIGHT_DARK.items()}
_CATEGORIES = ("blue", "cyan", "purple", "olive", "green", "red", "grey")
_NAMES = {light: name for name, (light, _) in LIGHT_DARK.items()}

PROVENANCE = {"modelled": ("grey", "○"), "measured": ("green", "●"), "presented": ("olive", "◎"), "replayed": ("cyan", "▷"),
              "mixed": ("purple", "◐")}
"""How a number came about -> colour and sign. The sign carries the meaning without the colour."""

ENDED = {"retried": "blue", "offline": "olive", "settled-later": "cyan", "refused": "red", "lost": "purple", "window": "grey"}
"""How what a fault struck ended -> colour."""


def category(index: int) -> str:
    """The saturated colour (light form) of the index-th category; they repeat after seven."""
    return LIGHT[_CATEGORIES[index % len(_CATEGORIES)]]


def pale(index: int) -> str:
    """The pale companion of :func:`category`."""
    return LIGHT[f"{_CATEGORIES[index % len(_CATEGORIES)]}-pale"]


def name_of(colour: str) -> str | None:
    """The name of a colour given in its light form, None when it is not of the palette."""
    return _NAMES.get(colour.lower())


def variables(dark: bool) -> str:
    """CSS custom properties for all colours."""
    return "".join(f"--{name}:{pair[dark]};" for name, pair in LIGHT_DARK.items())
