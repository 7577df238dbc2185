"""QR codes as pictures: PNG for files, half blocks for a terminal. Error correction M, as the profile asks."""

from __future__ import annotations

import io

import segno

SCALE, BORDER = 6, 4
"""Pixels a module, and modules of quiet zone (ISO/IEC 18004)."""


def code(text: str) -> segno.QRCode:
    """The symbol, at level M exactly: a denser one would be harder to scan from a screen."""
    return segno.make(text, error="m", micro=False, boost_error=False)


def png(text: str) -> bytes:
    """The same text always gives the same bytes."""
    out = io.BytesIO()
    code(text).save(out, kind="png", scale=SCALE, border=BORDER)
    return out.getvalue()


def terminal(text: str) -> str:
    """Lines of half blocks, dark on light, for a terminal that shows Unicode and colours."""
    out = io.StringIO()
    code(text).terminal(out, border=BORDER, compact=True)
    return out.getvalue()
