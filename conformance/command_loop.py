"""What every chip does with a command before it knows what it means: what several kinds' cases try, said once.

``chip.probe`` is something that the chip gives to everybody; it must be there whatever was asked before.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each
from conformance.chips import ChipTester, identity_of
from virtual_devices.apdu import Command

CHAIN_LIMIT = 8192
GET_RESPONSE = "00C0000000"
NO_COMMANDS: Mapping[str, str] = {
    "one-byte": "00", "three-bytes": "008400", "lc-too-long": "00840000030000", "lc-too-short": "0084000001000000",
    "lc-00-and-one-byte": "008400000000", "extended-lc-too-long": "00840000000003" + "0000",
    "extended-lc-too-short": "0084000000000100000000", "extended-lc-0-and-data": "0084000000000000" + "00",
}
_WRONG: Mapping[str, tuple[str, int]] = {
    "read-binary": ("00B0000000", 0x6D00), "instruction-00": ("0000000000", 0x6D00), "select": ("00A4040002D158", 0x6D00),
    "class-c0": ("C0CA005A00", 0x6E00), "class-ff": ("FFCA005A00", 0x6E00), "class-of-a-channel": ("01CA005A00", 0x6E00),
    "data-object-0000": ("00CA000000", 0x6A88), "data-object-5f52": ("00CA5F5200", 0x6A88),
    "signature-p1": ("002A9F9A0141", 0x6A86),
    "signature-p2": ("002A9E9B0141", 0x6A86), "challenge-p1": ("0084010008", 0x6A86), "challenge-p2": ("0084000108", 0x6A86),
    "challenge-with-data": ("008400000100", 0x6A86), "challenge-of-7": ("0084000007", 0x6700),
    "challenge-of-33": ("0084000021", 0x6700),
}
"""Of SAM and professional's card."""
GET_RESPONSES: Mapping[str, tuple[str, int]] = {
    "nothing-waits": (GET_RESPONSE, 0x6985), "class-80": ("80C0000000", 0x6985), "p1": ("00C0010000", 0x6A86),
    "p2": ("00C0000100", 0x6A86), "with-data": ("00C00000010000", 0x6700), "class-10": ("10C0000000", 0x6D00),
}
CHALLENGES: Mapping[str, tuple[int, int]] = {"8": (8, 8), "16": (16, 16), "32": (32, 32), "le-00": (256, 16)}
"""Le, and how many bytes come."""


def no_commands() -> Mapping[str, Each]:
    return {name: Each(raw) for name, raw in NO_COMMANDS.items()}


def wrong_commands() -> Mapping[str, Each]:
    return {name: Each(wrong) for name, wrong in _WRONG.items()}


def get_responses() -> Mapping[str, Each]:
    return {name: Each(wrong) for name, wrong in GET_RESPONSES.items()}


def challenges() -> Mapping[str, Each]:
    return {name: Each(lengths) for name, lengths in CHALLENGES.items()}


def refused_and_goes_on(chip: ChipTester, raw: str, word: int) -> None:
    """Refused by that word, and the next one is answered as if nothing had been."""
    chip.insert()
    expected = chip.must(chip.probe, "what everybody may ask")
    chip.word(chip.send(raw, "wrong command"), word, "wrong command")
    chip.says(chip.probe, 0x9000, "what everybody may ask, afterwards", expected)


def shortest_commands_are_commands(chip: ChipTester) -> None:
    """Four bytes are a command, and over T=1 seven with an extended Le alone."""
    chip.insert()
    short = chip.send("00840000", "four bytes")
    chip.word(short, 0x6C10 if chip.handle.t0 else 0x9000, "four bytes")
    if not chip.handle.t0:
        chip.equal("bytes of the challenge", len(chip.says("00840000000000", 0x9000, "seven bytes")), 16)


def challenge_is_fresh(chip: ChipTester, lengths: tuple[int, int]) -> None:
    """As long as asked for, and never the same, not after a reset either."""
    chip.insert()
    le, length = lengths
    seen = set()
    for _ in range(3):
        found = [chip.says(Command(0, 0x84, 0, 0, le=le), 0x9000, "challenge") for _ in range(2)]
        chip.equal("bytes of the challenges", [len(challenge) for challenge in found], [length, length])
        seen.update(found)
        chip.reset()
    chip.equal("different challenges of six", len(seen), 6)


def wrong_le_is_told(chip: ChipTester) -> None:
    """Too short an Le for the probe is told the right one; the right one and a longer one get the data."""
    chip.insert()
    probe = Command.parse(bytes.fromhex(chip.probe))
    data = chip.must(probe, "what everybody may ask")
    for le, word in ((1, 0x6C00 | len(data)), (len(data) - 1, 0x6C00 | len(data)), (len(data), 0x9000), (len(data) + 1, 0x9000)):
        answer = chip.send(Command(probe.cla, probe.ins, probe.p1, probe.p2, le=le), f"Le {le}")
        chip.word(answer, word, f"Le {le}")
        chip.equal(f"data for Le {le}", answer.data, data if word == 0x9000 else b"")


def t0_carries_data_one_way(chip: ChipTester) -> None:
    """Over T=0 a wrong Le is told the right one, extended length is refused, and a long answer comes in pieces."""
    chip.insert()
    chip.need("the chip speaks T=0", chip.handle.t0)
    probe = Command.parse(bytes.fromhex(chip.probe))
    data = chip.must(probe, "what everybody may ask")
    for le in (1, len(data) - 1, len(data) + 1, 256):
        chip.word(chip.send(Command(probe.cla, probe.ins, probe.p1, probe.p2, le=le), f"Le {le}"), 0x6C00 | len(data), f"Le {le}")
    answer = chip.send(Command(probe.cla, probe.ins, probe.p1, probe.p2, le=len(data)), "the right Le")
    chip.equal("the data and their status word", (answer.data, answer.sw), (data, 0x9000))
    chip.word(chip.send(chip.probe[:8] + "000000", "extended length"), 0x6700, "extended length")
    certificate_comes_in_pieces(chip, le=256)


def t0_announces_an_answer(chip: ChipTester, command: Command, length: int) -> None:
    """Over T=0 the answer to a command with data is announced by 61xx, told its length by GET RESPONSE, and fetched once."""
    answer = chip.send(command, "a command with data")
    chip.equal("announced", answer.to_bytes().hex(), f"61{length:02x}")
    chip.word(chip.send(Command(0, 0xC0, 0, 0, le=length + 1), "too long an Le"), 0x6C00 | length, "too long an Le")
    fetched = chip.send(Command(0, 0xC0, 0, 0, le=length), "fetched")
    chip.equal("bytes fetched, and the status word", (len(fetched.data), fetched.sw), (length, 0x9000))
    chip.word(chip.send(Command(0, 0xC0, 0, 0, le=length), "fetched again"), 0x6985, "fetched again")


def torn_challenge_is_never_given_again(chip: ChipTester) -> None:
    """Torn at any point of giving a challenge, the chip gives no challenge that it gave before, and the command again is done."""
    chip.insert()
    seen = [chip.challenge()]
    for point in range(9):
        chip.reset()
        chip.torn(chip.challenge_command, point, f"challenge, torn at {point}")
        seen.append(chip.challenge())
    chip.equal("different challenges", len(set(seen)), len(seen))


def certificate_comes_in_pieces(chip: ChipTester, le: int = 100) -> None:
    """The certificate is the same piece by piece, each time with what is left; what waits is gone after another command and after
    a reset."""
    chip.insert()
    whole = chip.must("00CA7F2100", "certificate")
    answer = chip.send(Command(0, 0xCA, 0x7F, 0x21, le=le), "first piece")
    pieces = [answer.data]
    while answer.sw >> 8 == 0x61:
        left = len(whole) - sum(map(len, pieces))
        chip.equal("what is left", f"{answer.sw:04X}", f"{0x6100 | (left if left < 256 else 0):04X}")
        answer = chip.send(Command(0, 0xC0, 0, 0, le=min(le, left) if chip.handle.t0 else le), "next piece")
        pieces.append(answer.data)
    chip.word(answer, 0x9000, "last piece")
    chip.equal("the pieces", b"".join(pieces), whole)
    for between in ("another command", "a reset"):
        chip.send(Command(0, 0xCA, 0x7F, 0x21, le=le), "first piece")
        if between == "a reset":
            chip.reset()
        else:
            chip.must(chip.probe, between)
        chip.word(chip.send(GET_RESPONSE, f"get response after {between}"), 0x6985, f"get response after {between}")


def certificate_is_taken_in_links(chip: ChipTester) -> None:
    """Another party's certificate is taken in links; another command in between, and a reset, end the chain."""
    chip.insert()
    chip.must(chip.name_party(chip.takes), "name")
    chain = identity_of(chip.world, chip.takes).chain_bytes()
    links = [Command(0x10, 0x2A, 0x00, 0xBE, chain[at : at + 100]) for at in range(0, len(chain) - 1, 100)]
    for time in ("the first time", "once more"):
        for link in links:
            chip.word(chip.send(link, f"link, {time}"), 0x9000, f"link, {time}")
        chip.word(chip.send(Command(0, 0x2A, 0x00, 0xBE, b""), f"last link, {time}"), 0x9000, f"last link, {time}")
    for between, word in (("00C0000000", 0x6883), (chip.probe, 0x6883), ("0099000000", 0x6D00), ("C0CA000000", 0x6E00)):
        chip.word(chip.send(links[0], "first link"), 0x9000, "first link")
        chip.word(chip.send(between, "another command"), word, "another command")
        chip.says(Command(0, 0x2A, 0x00, 0xBE, chain[100:]), 0x6A80, "the rest of a broken chain")
    chip.word(chip.send(links[0], "first link"), 0x9000, "first link")
    chip.reset()
    chip.says(chip.probe, 0x9000, "what everybody may ask after a reset")
    chip.must(chip.name_party(chip.takes), "name")
    chip.says(chip.certify(chain), 0x9000, "the whole after a reset")


def chain_has_a_limit(chip: ChipTester) -> None:
    """8192 bytes in links are taken, one more is refused, and the chain is forgotten."""
    chip.insert()
    link = Command(0x10, 0x2A, 0x00, 0xBE, b"x" * 255)
    for number in range(CHAIN_LIMIT // 255):
        chip.word(chip.send(link, f"link {number}"), 0x9000, f"link {number}")
    rest = Command(0x10, 0x2A, 0x00, 0xBE, b"x" * (CHAIN_LIMIT % 255))
    chip.word(chip.send(rest, "up to the limit"), 0x9000, "up to the limit")
    chip.word(chip.send(Command(0x10, 0x2A, 0x00, 0xBE, b"x"), "beyond it"), 0x6700, "beyond it")
    chip.says(chip.probe, 0x9000, "what everybody may ask, afterwards")


__all__ = [
    "CHAIN_LIMIT", "CHALLENGES", "GET_RESPONSE", "GET_RESPONSES", "NO_COMMANDS", "certificate_comes_in_pieces",
    "certificate_is_taken_in_links", "chain_has_a_limit", "challenge_is_fresh", "challenges", "get_responses", "no_commands",
    "refused_and_goes_on", "shortest_commands_are_commands", "wrong_commands", "wrong_le_is_told",
]
