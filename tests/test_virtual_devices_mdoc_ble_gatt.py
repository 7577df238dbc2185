"""BLE's services and engagement options: UUIDs, Ident, and the retrieval method in both directions."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.mdoc import ble_options
from virtual_devices.mdoc.ble_gatt import (
    TABLE,
    BleUsageError,
    Characteristic,
    Direction,
    GattRole,
    Mode,
    Name,
    Property,
    Side,
    by_uuid,
    characteristic,
    characteristics,
    gatt_role,
    ident,
    service_uuid,
)
from virtual_devices.mdoc.ble_options import BleOptions, MalformedBleOptions
from virtual_devices.randomness import ByteStream

# ISO/IEC 18013-5:2021 annex D: the retrieval method of the QR engagement, and EDeviceKeyBytes
ANNEX_D_METHOD = bytes.fromhex("830201a300f401f50b5045efef742b2c4837a9a3b0e1d05a6917")
ANNEX_D_KEY = bytes.fromhex(
    "d818584ba4010220012158205a88d182bce5f42efa59943f33359d2e8a968ff289d93e5fa444b624343167fe225820b16e8cf858ddc7690407ba61d4"
    "c338237a8cfcf3de6aa672fc60a557aa32fc67"
)
SERVICE, OTHER = service_uuid(ByteStream("service")), service_uuid(ByteStream("other"))


def test_each_mode_serves_its_own_characteristics() -> None:
    assert {(r.mode, r.name): str(r.uuid) for r in TABLE} == {
        (Mode.PERIPHERAL_SERVER, Name.STATE): "00000001-a123-48ce-896b-4c76973373e6",
        (Mode.PERIPHERAL_SERVER, Name.CLIENT_TO_SERVER): "00000002-a123-48ce-896b-4c76973373e6",
        (Mode.PERIPHERAL_SERVER, Name.SERVER_TO_CLIENT): "00000003-a123-48ce-896b-4c76973373e6",
        (Mode.CENTRAL_CLIENT, Name.STATE): "00000005-a123-48ce-896b-4c76973373e6",
        (Mode.CENTRAL_CLIENT, Name.CLIENT_TO_SERVER): "00000006-a123-48ce-896b-4c76973373e6",
        (Mode.CENTRAL_CLIENT, Name.SERVER_TO_CLIENT): "00000007-a123-48ce-896b-4c76973373e6",
        (Mode.CENTRAL_CLIENT, Name.IDENT): "00000008-a123-48ce-896b-4c76973373e6",
    }
    assert [len(characteristics(mode)) for mode in Mode] == [3, 4]


@pytest.mark.parametrize("row", TABLE, ids=lambda r: f"{r.mode.name}-{r.name.value}")
def test_properties_let_values_go_the_stated_way_and_no_other(row: Characteristic) -> None:
    to_server = Property.WRITE_WITHOUT_RESPONSE in row.properties
    to_client = bool(row.properties & {Property.NOTIFY, Property.READ})
    assert (to_server, to_client) == (row.direction is not Direction.TO_CLIENT, row.direction is not Direction.TO_SERVER)
    assert by_uuid(row.uuid) is row and characteristic(row.mode, row.name) is row


def test_unknown_characteristics_are_told_apart() -> None:
    assert by_uuid(uuid.UUID(int=0)) is None
    with pytest.raises(BleUsageError, match="no characteristic Ident"):
        characteristic(Mode.PERIPHERAL_SERVER, Name.IDENT)


def test_one_side_serves_and_the_other_is_its_client() -> None:
    servers = {mode: [side for side in Side if gatt_role(mode, side) is GattRole.SERVER] for mode in Mode}
    assert servers == {Mode.PERIPHERAL_SERVER: [Side.MDOC], Mode.CENTRAL_CLIENT: [Side.READER]}


def test_service_uuid_is_random_of_version_4_and_from_the_stream() -> None:
    draw = ByteStream("engagements")
    drawn = [service_uuid(draw) for _ in range(200)]
    assert all((u.version, u.variant) == (4, uuid.RFC_4122) for u in drawn) and len(set(drawn)) == 200
    assert service_uuid(ByteStream("engagements")) == drawn[0]


def test_ident_is_hkdf_without_salt_over_the_key_as_shown() -> None:
    extracted = hmac.digest(bytes(32), ANNEX_D_KEY, hashlib.sha256)  # RFC 5869 2.2, written out
    assert ident(ANNEX_D_KEY) == hmac.digest(extracted, b"BLEIdent\x01", hashlib.sha256)[:16]
    assert ident(ANNEX_D_KEY) != ident(ANNEX_D_KEY[:-1] + b"\0")


def test_annex_d_method_is_read_and_written() -> None:
    options = ble_options.parse(cbor2.loads(ANNEX_D_METHOD))
    assert options == BleOptions(central_client=uuid.UUID("45efef74-2b2c-4837-a9a3-b0e1d05a6917"))
    assert options.modes == (Mode.CENTRAL_CLIENT,) and options.service(Mode.PERIPHERAL_SERVER) is None
    assert cbor2.dumps(options.method()) == ANNEX_D_METHOD


OPTIONS = st.builds(
    BleOptions, st.uuids(), st.none() | st.uuids(), st.none() | st.binary(min_size=6, max_size=6), st.none() | st.integers(1, 255)
) | st.builds(BleOptions, st.none(), st.uuids())


@given(OPTIONS)
def test_options_come_back_as_they_were(options: BleOptions) -> None:
    assert ble_options.parse(cbor2.loads(cbor2.dumps(options.method()))) == options
    assert ble_options.parse(tuple(options.method())) == options  # as an engagement keeps it


def test_unknown_keys_and_the_uuid_of_a_mode_not_offered_are_overlooked() -> None:
    method = [2, 1, {0: False, 1: True, 10: OTHER.bytes, 11: SERVICE.bytes, 22: True, 2023: 5}]
    assert ble_options.parse(method) == BleOptions(central_client=SERVICE)


def _with(**changed: Any) -> list[Any]:
    options = {0: True, 1: True, 10: SERVICE.bytes, 11: OTHER.bytes, 20: bytes(6), 21: 128}
    options |= {int(key[1:]): value for key, value in changed.items()}
    return [2, 1, {key: value for key, value in options.items() if value is not ...}]


MALFORMED: list[Any] = [
    None, 2, b"\x02\x01\xa0", "21x", {}, [], [2, 1], [2, 1, {}, 0], [1, 1, _with()[2]], [2, 2, _with()[2]], [2.0, 1, _with()[2]],
    [2, True, _with()[2]], [2, 1, []], [2, 1, None], _with(k0=...), _with(k1=...), _with(k0=1), _with(k1="true"),
    _with(k0=False, k1=False), _with(k10=...), _with(k11=...), _with(k10=bytes(15)), _with(k11=bytes(17)),
    _with(k10=str(SERVICE)), _with(k21=10**5000),
    _with(k10=SERVICE), _with(k10=None), _with(k20=bytes(5)), _with(k20="00:00:00:00:00:00"), _with(k20=None), _with(k21=0),
    _with(k21=256), _with(k21=-1), _with(k21=True), _with(k21=None), [2, 1, {0: False, True: True, 11: SERVICE.bytes}],
    [2, 1, {0: False, 1.0: True, 11: SERVICE.bytes}], [2, 1, {**_with()[2], "x": 1}], [2, 1, {**_with()[2], -1: 1}],
]


def test_base_of_the_malformed_ones_is_well_made() -> None:
    assert ble_options.parse(_with()) == BleOptions(SERVICE, OTHER, bytes(6), 128)


@pytest.mark.parametrize("method", MALFORMED, ids=map(str, range(len(MALFORMED))))
def test_malformed_options_are_refused(method: Any) -> None:
    with pytest.raises(MalformedBleOptions) as refused:
        ble_options.parse(method)
    assert refused.value.clause


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary(max_size=20) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 25) | st.booleans(), inner, max_size=5),
)


@given(JUNK | st.tuples(st.just(2), st.just(1), JUNK))
def test_anything_is_read_or_refused(method: Any) -> None:
    try:
        options = ble_options.parse(method)
    except MalformedBleOptions:
        return
    assert options.modes


@pytest.mark.parametrize("wrong", [{}, {"address": bytes(6)}, {"central_client": SERVICE, "address": b"x"},
                                   {"central_client": SERVICE, "psm": 0}, {"central_client": SERVICE, "psm": 256}])
def test_options_that_nobody_could_read_are_not_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(BleUsageError):
        BleOptions(**wrong)
