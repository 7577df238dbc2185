"""Where things of the project are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MORNING = ROOT / "scenarios" / "clinic_morning.toml"
