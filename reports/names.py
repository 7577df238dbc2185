"""What our own flows and situations write into rows and manifest, as texts that a language may translate.

These are names and sentences of the run, not of the report: English is what the rows say. One that is missing here is
shown as it came, as everything is that another situation or a device makes up.
"""

from __future__ import annotations

from reports.catalogue import N_

NAMES = frozenset({
    # stations
    N_("registration"), N_("preparation"), N_("consultation"), N_("pricing"), N_("collection"),
    # steps
    N_("authenticate HPC"), N_("authenticate SAM"), N_("authenticate card"), N_("cancel visit"), N_("check eligibility"),
    N_("get sequence number"), N_("get sequence number online"), N_("power on"), N_("present virtual card"),
    N_("read basic data"), N_("read card number"), N_("read medical records"), N_("read registration data"),
    N_("sign prescriptions"), N_("sign visit"), N_("update card"), N_("upload"), N_("verify PIN"), N_("verify SAM online"),
    N_("write fees"), N_("write virtual card"), N_("write visit"),
    N_("end session"), N_("engage by NFC"), N_("find phone"), N_("get reader certificates"), N_("get status lists"),
    N_("retrieve over NFC"), N_("sign records"), N_("sign request"),
    # acts of people
    N_("enter PIN"), N_("insert card again"), N_("tap again"), N_("open the wallet"), N_("approve on the phone"),
    # conservation laws
    N_("patients who came = patients who left, each once"),
    N_("visits registered from cards = visits on those cards, each its own"),
    N_("visits broken off while registering = cards with one visit at most"),
    N_("visits registered = records made, one each"), N_("uploads confirmed = the same records in the data centre"),
    N_("visits told to the data centre = different visits told"),
    # what is assumed
    N_("Service times, arrivals and the mix of cards are assumed; nobody has published them for a clinic here."),
    N_("No reading time of the card has been published: chip and reader times are assumed (params.contact)."),
    N_("Everything beyond the public read of the card is the bench's own profile: the real protocol is not public."),
    N_("Phones and contactless readers are modelled: their times and the share of failed taps are assumed (params.field)."),
    N_("Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known."),
})  # fmt: skip
