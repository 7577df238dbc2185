"""Conformance cases, a module for each kind of device and subject: ``test_<kind>_<subject>.py``."""
