"""Prescriptions (處方箋): the signed document, its states, the acts on it, and how they are counted."""
