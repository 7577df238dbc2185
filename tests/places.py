"""Where things of the project are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MORNING = ROOT / "scenarios" / "clinic_morning.toml"
JUDGES = ROOT / ".cache" / "judges"
"""Packages that judge us, in environments of their own."""
