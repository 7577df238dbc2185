"""What our own flows and situations write into rows and manifest, as texts that a language may translate.

These are names and sentences of the run, not of the report: English is what the rows say. One that is missing here is
shown as it came, as everything is that another situation or a device makes up.
"""

from __future__ import annotations

from reports.catalogue import N_

NAMES = frozenset({
    # stations
    N_("registration"), N_("preparation"), N_("consultation"), N_("pricing"), N_("collection"),
    N_("reception"), N_("hand over"), N_("at home"),
    N_("pharmacy reception"), N_("pharmacy preparation"), N_("pharmacy hand over"),
    # steps
    N_("authenticate HPC"), N_("authenticate SAM"), N_("authenticate card"), N_("cancel visit"), N_("check eligibility"),
    N_("get sequence number"), N_("get sequence number online"), N_("power on"), N_("present virtual card"),
    N_("read basic data"), N_("read card number"), N_("read medical records"), N_("read registration data"),
    N_("sign prescriptions"), N_("sign visit"), N_("update card"), N_("upload"), N_("verify PIN"), N_("verify SAM online"),
    N_("write fees"), N_("write virtual card"), N_("write visit"),
    N_("end session"), N_("engage by NFC"), N_("find phone"), N_("get reader certificates"), N_("get status lists"),
    N_("get visit identifier"),
    N_("retrieve over NFC"), N_("sign records"), N_("sign request"),
    N_("connect"), N_("engage by contact"), N_("find out which card"), N_("look"),
    N_("find prescriptions"), N_("rx-store"), N_("rx-dispense"), N_("rx-tell"), N_("rx-query"),
    N_("leave records with the data centre"), N_("prepare home visit"), N_("scan QR code"),
    # acts of people
    N_("enter PIN"), N_("insert card again"), N_("tap again"), N_("open the wallet"), N_("approve on the phone"),
    # conservation laws
    N_("patients who came = patients who left, each once"),
    N_("visits registered from cards = visits on those cards, each its own"),
    N_("visits broken off while registering = cards with one visit at most"),
    N_("visits registered = records made, one each"), N_("uploads confirmed = the same records in the data centre"),
    N_("visits told to the data centre = different visits told"),
    N_("people who came = people who left, each once"),
    N_("people given something = records made, one each"),
    N_("homes on the round = homes left, each once"),
    N_("home visits begun = records made, one each"),
    N_("prescriptions signed = prescriptions in the data centre or waiting, each once"),
    N_("dispensings signed = dispensings in the data centre or waiting, each once"),
    N_("prescriptions = prescriptions with no more issues counted than written"),
    N_("visits = visits of people who were in one place at a time"),
    N_("sequence numbers told = different sequence numbers of a card"),
    N_("clinic: patients who came = patients who left, each once"),
    N_("clinic: visits registered from cards = visits on those cards, each its own"),
    N_("clinic: visits broken off while registering = cards with one visit at most"),
    N_("clinic: visits registered = records made, one each"),
    N_("clinic: uploads confirmed = the same records in the data centre"),
    N_("clinic: visits told to the data centre = different visits told"),
    N_("pharmacy: people who came = people who left, each once"),
    N_("pharmacy: people given something = records made, one each"),
    N_("pharmacy: uploads confirmed = the same records in the data centre"),
    N_("home care: homes on the round = homes left, each once"),
    N_("home care: home visits begun = records made, one each"),
    N_("home care: uploads confirmed = the same records in the data centre"),
    # what is assumed
    N_("Service times, arrivals and the mix of cards are assumed; nobody has published them for a clinic here."),
    N_("No reading time of the card has been published: chip and reader times are assumed (params.contact)."),
    N_("Everything beyond the public read of the card is the bench's own profile: the real protocol is not public."),
    N_("Phones and contactless readers are modelled: their times and the share of failed taps are assumed (params.field)."),
    N_("Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known."),
    N_(
        "Arrivals, service and travel times, coverage, what is prescribed and how often it is doubted are assumed; "
        "nobody has published them for a district here."
    ),
    N_("The signed prescription, the dispensing record, the home package and the doubt channel are the bench's own profile."),
    N_("Phones, contactless readers, cameras and Bluetooth are modelled: no radio takes part."),
    N_("What is on the lists taken along, how often it is enough, and how long a question takes are assumed."),
    N_("Travel and visit times, coverage and the mix of cards are assumed; nobody has published them."),
    N_("Bluetooth and the camera are link models (params.bluetooth, params.camera): no radio takes part."),
    N_("The home package, the signed prescription and its amendment are the bench's own profile: no real ones are public."),
    N_("Service times, arrivals and the mix of prescriptions are assumed; nobody has published them for a pharmacy here."),
    N_(
        "The signed prescription, the dispensing record and the doubt channel are the bench's own profile: no real ones"
        " are public."
    ),
    N_("How often a pharmacist doubts, and how long a physician takes to answer, is assumed."),
})  # fmt: skip
