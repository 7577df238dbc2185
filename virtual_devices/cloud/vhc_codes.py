"""Codes of the control software (space ``cshis``) in the words of software 6.0 (space ``vhc``), where both have one."""

from __future__ import annotations

from collections.abc import Mapping

VHC_OF: Mapping[str, str] = {
    "0": "0", "5001": "3213", "5002": "3203", "5003": "3201", "5004": "3207", "5007": "1007", "5012": "3228",
    "5022": "3208", "5033": "3227", "5079": "3216", "5082": "3217", "5083": "3214", "5084": "3215", "5150": "3208",
    "5151": "3219", "5152": "3211", "5153": "3220", "5154": "3218", "5160": "3221", "5161": "3223", "5162": "3222",
    "5165": "3225", "5166": "3226", "9012": "3402", "9083": "3228", "9084": "3229", "9085": "3230", "9086": "3233",
    "9087": "3233", "9088": "3233", "9089": "3233", "9090": "3233", "9091": "3234", "9092": "3235", "9093": "3232",
    "9094": "3231", "9095": "3233", "9129": "3205",
}
"""Inferred from the words of both tables."""
UNDEFINED = "1799"


def vhc_code(code: str, otherwise: str = UNDEFINED) -> str:
    """The code of software 6.0 for the same cause; ``otherwise`` where its table has none."""
    return VHC_OF.get(code, otherwise)


__all__ = ["VHC_OF", "vhc_code"]
