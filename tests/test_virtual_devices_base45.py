"""Base45: the RFC's examples, every group of both lengths, and nothing that has a second spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.base45 import ALPHABET, MalformedBase45, decode, encode


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", ""), (b"\0", "00"),
     (b"\0\0", "000"), (b"\xff\xff", "FGW"), (b"\xff", "U5")],
)
def test_examples_of_rfc_9285_hold_in_both_directions(raw: bytes, text: str) -> None:
    assert encode(raw) == text and decode(text) == raw


@given(st.binary(max_size=64) | st.binary(min_size=600, max_size=1500))
def test_bytes_come_back(raw: bytes) -> None:
    text = encode(raw)
    assert decode(text) == raw and set(text) <= set(ALPHABET) and len(text) == (len(raw) * 3 + 1) // 2


def test_every_short_text_has_one_meaning_or_none() -> None:
    for length, most in ((2, 256), (3, 65536)):
        texts, meanings = 0, set()
        for number in range(45**length):
            text = "".join(ALPHABET[number // 45**place % 45] for place in range(length))
            try:
                meanings.add(decode(text))
            except MalformedBase45:
                assert number >= most
                continue
            texts += 1
        assert texts == len(meanings) == most


@pytest.mark.parametrize(
    "text",
    ["GGW", ":::", "::", "V5", "A", "AAAA", "abc", "BB8\n", "BB\u0130", "B\u00df8", "BB8é0", "_00", "\ud800\ud80000"],
)
def test_text_that_is_none_is_malformed(text: str) -> None:
    with pytest.raises(MalformedBase45):
        decode(text)


@given(st.text(max_size=40) | st.text(alphabet=ALPHABET, min_size=128))
def test_any_text_is_the_spelling_of_its_bytes_or_malformed(text: str) -> None:
    try:
        raw = decode(text)
    except MalformedBase45:
        return
    assert encode(raw) == text
