"""What bad holding costs over NFC: taps, and time, by the way in which a phone is held and how badly."""
