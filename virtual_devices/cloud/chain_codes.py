"""The field's codes for parties whose certificates the data centre refuses."""

from __future__ import annotations

from collections.abc import Mapping

from virtual_devices.pki import Trouble

SAM_CODE: Mapping[Trouble, str] = {
    Trouble.MISSING: "9013",
    Trouble.MALFORMED: "9013",
    Trouble.FORGED: "9014",
    Trouble.WRONG_ROLE: "9013",
    Trouble.EXPIRED: "9061",
    Trouble.NOT_YET_VALID: "9061",
    Trouble.REVOKED: "9060",
}
"""The field's code for a SAM that the data centre refuses."""
HPC_CODE: Mapping[Trouble, str] = dict.fromkeys(Trouble, "9130") | {
    Trouble.EXPIRED: "9140", Trouble.NOT_YET_VALID: "9140", Trouble.WRONG_ROLE: "4034",
}
"""The same for a professional's card."""

__all__ = ["HPC_CODE", "SAM_CODE"]
