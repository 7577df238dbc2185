"""Test vectors of the reference protocol, for implementations that were written elsewhere: from a seed, always the same bytes."""
