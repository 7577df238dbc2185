"""Pages of a report without their dear parts, for tests that look at neither: fonts are a fifth of a page's work, paint half."""

from __future__ import annotations

from html import escape

import pytest

from reports.picture import Picture, Styles


@pytest.fixture
def unembedded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that bring no font along."""
    monkeypatch.setattr("reports.fonts.faces", lambda *_: "")


@pytest.fixture
def unpainted(unembedded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose figures are drawn up, with finding and alternative text, but not painted. They bring no font along either."""

    def frame(picture: Picture, name: str, width_px: int, styles: Styles) -> str:
        return f'<svg viewBox="0 0 {width_px} {picture.height_px}" role="img" aria-label="{escape(picture.alt)}"></svg>'

    monkeypatch.setattr("reports.gallery.svg", frame)
