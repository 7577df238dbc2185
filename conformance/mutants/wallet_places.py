"""Where the reference wallets refuse: the modules, and functions of them, whose refusals the self-check looks for.

Left out is what only a reader's side does with the same codecs, and what the physical card's suite goes through on the same chip.
"""

from __future__ import annotations

from collections.abc import Iterator


def _of(module: str, *names: str) -> Iterator[str]:
    return (f"virtual_devices.{module}:{name}" for name in names)


_SESSION = (
    "virtual_devices.holder.application", "virtual_devices.holder.readers", "virtual_devices.holder.session",
    "virtual_devices.holder.writing", "virtual_devices.mdoc.request",
    *_of("mdoc.session", "Cipher", "read_establishment", "read_data", "_data", "_read"),
    *_of("mdoc.tagged", "unembed", "read", "a_map", "an_array", "a_text", "texts", "some_bytes", "a_number", "read_tdate"),
    "virtual_devices.mdoc.cose_key",
    *_of("pki", "ChainVerifier.check", "verify", "_role", "_read", "organisation_of"),
    *_of("cose", "Sign1", "Sign", "decode_sign", "read_sign1", "decode_map", "_tagged", "_four", "_typed", "_signature",
         "_need_algorithm"),
    *_of("write_back", "Kind", "thumbprint", "read_batch", "read_record", "read_content", "_exactly", "_not_negative"),
    *_of("wallet.phone", "Phone.take_late"), *_of("wallet.phone_home", "PhoneHome"), *_of("wallet.holder", "Holder.take_proof"),
    "virtual_devices.wallet.late", "virtual_devices.wallet.consent",
)
_BLUETOOTH = ("virtual_devices.mdoc.ble", *_of("mdoc.ble_chunks", "Assembler.feed"))
_FIELD = (
    *_of("mdoc.type4", "Type4Tag.handle", "Type4Tag._select_application", "Type4Tag._select_file", "Type4Tag._read",
         "Type4Tag._update", "Type4Tag._refused", "Type4Tag._complete"),
    "virtual_devices.mdoc.nfc_applications", "virtual_devices.mdoc.nfc_retrieval",
    *_of("mdoc.handover", "read_request", "_rows", "_carriers", "NegotiatedHandover"), *_of("mdoc.tnep", "selected_service"),
    *_of("mdoc.ndef", "Record.of", "decode", "_read", "_problem_of_type"),
    *_of("mdoc.carriers", "read_alternative", "_read_nfc", "_read_ble", "_structures", "_one", "_counted"),
)
_SCREEN = (*_of("qr.challenge", "read_challenge"), *_of("qr.text", "strip"))
_ONLINE = (
    *_of("wallet.app", "activate", "hold", "_install", "_check", "_erased", "_being_replaced", "restore_prescriptions"),
    "virtual_devices.wallet.online",
)
_CHIP = (
    *_of("card.second", "Interface"), "virtual_devices.card.second_home", "virtual_devices.card.second_t0",
    *_of("card.second_records", "CardRecords"),
)
MODULES = (*_SESSION, *_BLUETOOTH, *_FIELD, *_SCREEN, *_ONLINE, *_CHIP)

__all__ = ["MODULES"]
