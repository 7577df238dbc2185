"""Stacks of the media: those that drivers and presenters stand upon, and those that stand in where there is no radio or reader.

What a medium's own library lacks, and what runs a library unmodified without its hardware: a private pcscd, an emulated BlueZ on
a bus and an air of its own, virtual PN532 chips, nfcpy's UDP driver.
"""
