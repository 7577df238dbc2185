"""Where QR codes can be read and where not: codes of the virtual card, spoiled as screens, hands and cameras spoil them."""
