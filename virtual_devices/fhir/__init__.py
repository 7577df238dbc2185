"""Prescriptions and dispensings as FHIR R4 documents, out and in: dicts, as JSON has them; nothing is read or written here."""
