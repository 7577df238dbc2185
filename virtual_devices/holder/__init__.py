"""The virtual card as an application, whatever it lives in: a phone (``wallet``) or a chip (``card.second``)."""
