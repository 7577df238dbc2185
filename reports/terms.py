"""The closed vocabulary of the rows, as a person reads it: what the bench writes as ``hpc`` or ``settled-later``."""

from __future__ import annotations

from reports.blocks import Cell
from reports.catalogue import N_, Catalogue
from reports.names import NAMES
from reports.palette import PROVENANCE

TERMS = {
    # roles
    "card": N_("card"),
    "sam": N_("SAM"),
    "hpc": N_("HPC"),
    "cloud": N_("data centre"),
    "wallet": N_("wallet"),
    "reader": N_("reader"),
    # channels
    "contact": N_("contact"),
    "contact-t0": N_("contact, T=0"),
    "chip": N_("chip"),
    "calls": N_("calls"),
    "program": N_("program"),
    "hands": N_("hands"),
    "nfc": N_("NFC"),
    "ble": N_("Bluetooth LE"),
    "nfc-ble": N_("NFC, then Bluetooth LE"),
    "qr": N_("QR code"),
    "network": N_("network"),
    # provenance
    "modelled": N_("modelled"),
    "measured": N_("measured"),
    "presented": N_("presented"),
    "replayed": N_("replayed"),
    "mixed": N_("mixed"),
    # people
    "holder": N_("holder"),
    "clerk": N_("clerk"),
    "physician": N_("physician"),
    "pharmacist": N_("pharmacist"),
    # how things ended
    "served": N_("served"),
    "refused": N_("refused"),
    "gave-up": N_("gave up"),
    "retried": N_("retried"),
    "offline": N_("went on offline"),
    "settled-later": N_("settled later"),
    "window": N_("in force"),
    "lost": N_("lost"),
    # a prescription's way
    "issued": N_("issued"),
    "on phone": N_("on phone"),
    "on card": N_("on card"),
    "read": N_("read"),
    "doubted": N_("doubted"),
    "answered": N_("answered"),
    "dispensed": N_("dispensed"),
    "received": N_("received"),
    "taken back": N_("taken back"),
    "amended": N_("amended"),
    "not amended": N_("not amended"),
    "not issued": N_("not issued"),
    "stored": N_("stored"),
    "told": N_("told"),
    "found": N_("found"),
    "recipient": N_("recipient"),
    "desk": N_("desk"),
    # duties and certainty
    "must": N_("must"),
    "should": N_("should"),
    "may": N_("may"),
    "official": N_("official"),
    "public": N_("public"),
    "inferred": N_("inferred"),
    "standard": N_("published standard"),
    "profile": N_("the bench's own profile"),
    # what our own flows and situations call things
    **{name: name for name in sorted(NAMES)},
}


KINDS = {
    "wallet": N_("wallet"), "reader": N_("reader"), "card": N_("patient card"), "sam": N_("security module"),
    "hpc": N_("professional's card"), "control-software": N_("control software"), "clinic": N_("clinic's software"),
    "pharmacy": N_("pharmacy's software"), "data-centre": N_("data centre"),
}
"""Kinds of device under test."""
VERDICTS = {
    "pass": N_("pass"), "fail": N_("fail"), "inconclusive": N_("inconclusive"), "error": N_("error of the bench"),
    "not-applicable": N_("not applicable"), "review": N_("to be looked at by a person"),
}
"""Of a conformance case."""
PROOFS = {
    "test": N_("a case"), "scenario": N_("a situation shows it"), "declaration": N_("the maker declares it"),
    "inspection": N_("a person or a laboratory looks"),
}
"""How a clause is shown."""
OURS = frozenset({"virtual", "stand-in"})
"""Where a role may be put that stays inside the bench."""


def term(words: Catalogue, content: str) -> str:
    """The word for it; what is not of the vocabulary stays as it is."""
    return words.say(TERMS[content]) if content in TERMS else content


def kind_of(words: Catalogue, kind: str) -> str:
    """The name of a kind of device under test."""
    return words.say(KINDS[kind])


def word(words: Catalogue, content: str) -> Cell:
    """A cell with a term: a text of ours when it is of the vocabulary, else data."""
    return Cell(term(words, content) or "–", data=content not in TERMS)


def mark(words: Catalogue, provenance: str) -> Cell:
    """A cell with the sign and the name of how a number came about."""
    colour, sign = PROVENANCE.get(provenance, ("grey", ""))
    return Cell(term(words, provenance), data=provenance not in TERMS, style=f"mark mark-{colour}", sign=sign)
