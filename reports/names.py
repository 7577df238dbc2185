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
    # acts of people
    N_("enter PIN"), N_("insert card again"), N_("tap again"),
    # conservation laws
    N_("patients who came = patients who left"), N_("records in the data centre = uploads confirmed"),
    N_("records made = visits registered"),
    N_("visits on patients' cards = visits registered from cards + broken off while registering"),
    N_("visits told to the data centre = different visits told"),
    # what is assumed
    N_("Service times, arrivals and the mix of cards are assumed; nobody has published them for a clinic here."),
    N_("No reading time of the card has been published: chip and reader times are assumed (params.contact)."),
    N_("Everything beyond the public read of the card is the bench's own profile: the real protocol is not public."),
    N_("The virtual card is a stand-in of stated times, without content; its exchanges are modelled and marked so."),
    N_("Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known."),
})  # fmt: skip
