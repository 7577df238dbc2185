"""Faults put into the reference devices, one at a time: how well the suite finds them is what its PASS is worth.

:mod:`~conformance.mutants.places` scans the devices' code for every place where they refuse something, and
:mod:`~conformance.mutants.operators` makes the mutants of each; those that no scan finds stand in tables, ``families``.
"""
