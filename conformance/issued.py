"""What a data centre has issued, as those read it who rely on it; that it is signed as it should be is a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from conformance.kinds.data_centre import DataCentreTester
from virtual_devices import vhc
from virtual_devices.link import Work
from virtual_devices.mdoc import mso
from virtual_devices.mdoc.mso import IssuerSigned, Mso
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import Refused, Role, Verified
from virtual_devices.status_list import Status, StatusToken
from virtual_devices.status_list import read as read_list


def credential_of(data_centre: DataCentreTester, body: Mapping[str, Any]) -> tuple[IssuerSigned, Mso]:
    """The credential that a phone was given."""
    issued = mso.read_issuer_signed(cbor2.loads(dumps(body["issued"])))
    found = mso.verify(issued, vhc.DOCTYPE, data_centre.world.root, data_centre.now_ns, Work())
    data_centre.expect("the credential verifies", not isinstance(found, Refused), "believed", found)
    return issued, mso.read_mso(issued.auth.payload or b"")


def lists_of(data_centre: DataCentreTester) -> dict[str, tuple[StatusToken, Any]]:
    """The published lists by their address."""
    found = {}
    for raw in data_centre.done("status-lists")["lists"]:
        message, token = read_list(raw)
        who = data_centre.world.root.check(message.chain, {Role.DATA_CENTRE}, data_centre.now_ns)
        data_centre.expect("the list is by the data centre", isinstance(who, Verified) and message.verify(who.key))
        found[token.uri] = token, message
    return found


def status_of(data_centre: DataCentreTester, place: mso.StatusReference | None) -> Status:
    """What its list says of a place now."""
    assert place is not None
    return lists_of(data_centre)[place.uri][0].status(place.index)


__all__ = ["credential_of", "lists_of", "status_of"]
