"""Conditions on declarations: they hold as they read, and a slip is told before anything is asked of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.condition import ConditionError, Known, Sort, condition

QUESTIONS = {
    "ble": Known(Sort.YES_NO), "wards": Known(Sort.WHOLE), "maker": Known(Sort.TEXT),
    "version": Known(Sort.CHOICE, ("1.0", "1.1")), "media": Known(Sort.LIST, ("nfc", "ble", "qr")),
}
ANSWERS: dict[str, Any] = {"ble": True, "wards": 3, "maker": "ACME", "version": "1.1", "media": ("nfc", "qr")}


@pytest.mark.parametrize(("text", "holds"), [
    ("", True), ("  ", True), ("ble", True), ("not ble", False), ("ble == true", True), ("ble != true", False),
    ("wards >= 3 and wards < 4", True), ("wards > 3", False), ("wards <= 2 or version == \"1.1\"", True),
    ('"nfc" in media', True), ('"ble" in media', False), ('not "ble" in media', True), ('version in media', False),
    ('maker == "ACME"', True), ('maker != "ACME"', False),
    ("ble or ble and not ble", True),  # and binds closer
    ("(ble or ble) and not ble", False), ("not (ble and wards == 4)", True), ("true", True), ("false or ble", True),
    ('"and" == maker', False),
])
def test_condition_holds_as_it_reads(text: str, holds: bool) -> None:
    parsed = condition(text)
    parsed.check(QUESTIONS)
    assert parsed.holds(ANSWERS) is holds


@pytest.mark.parametrize("text", ["ble", "wards < 5", 'version != "1.0"', '"nfc" in media', 'maker == maker'])
def test_what_was_not_answered_compares_with_nothing(text: str) -> None:
    assert condition(text).holds({}) is False


@pytest.mark.parametrize(("text", "column", "says"), [
    ("bel", 1, "there is no question bel; did you mean ble?"),
    ("ble and wrds > 2", 9, "there is no question wrds; did you mean wards?"),
    ("wards", 1, "wards is not answered with yes or no"), ("3", 1, "neither true nor false"),
    ('version == "1.2"', 12, '"1.2" is never answered; it is one of 1.0, 1.1'), ('"usb" in media', 1, "nfc, ble, qr"),
    ("ble < 3", 5, "< compares whole numbers"), ('wards == "3"', 7, "two of a kind"), ("media == media", 7, "no lists"),
    ("wards in media", 7, '"in" takes a text'), ('"1.0" in version', 7, '"in" takes a text'), ("not wards", 5, "not answered"),
    ("(wards or ble) == true", 2, "not answered with yes or no"),
])
def test_condition_that_asks_what_cannot_be_asked_is_refused(text: str, column: int, says: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text).check(QUESTIONS)
    assert caught.value.column == column
    assert says in caught.value.what


@pytest.mark.parametrize(("text", "column", "says"), [
    ("ble and", 8, "must stand here"), ("(ble", 5, "a ) is missing"), ("ble ble", 5, "over before this"),
    ("and", 1, "must stand here"), ("1 < wards < 3", 11, "over before"),
    ("ble; import os", 4, "';' belongs to no condition"), ("not not ble", 5, "must stand here"),
    ('"open', 1, "belongs to no condition"), ("ble)", 4, "over before this"), ("ble == ()", 9, "must stand here"),
    ("__import__('os')", 12, "belongs to no condition"), ("(" * 50 + "ble" + ")" * 50, 41, "nested too deeply"),
])
def test_what_is_no_condition_is_refused_with_its_column(text: str, column: int, says: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text)
    assert (caught.value.column, says in caught.value.what) == (column, True), str(caught.value)


def test_names_are_the_questions_that_are_asked() -> None:
    assert condition('not ble or ("nfc" in media and wards > 2)').names() == {"ble", "media", "wards"}


@given(st.text(alphabet='abw ()"<>=!1in andornot\n', max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        parsed = condition(text)
        parsed.check(QUESTIONS)
    except ConditionError as e:
        assert 1 <= e.column <= len(text) + 1
    else:
        assert isinstance(parsed.holds(ANSWERS), bool)
