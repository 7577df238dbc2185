"""The figures, one a file, found by scanning this folder: to add a figure is to add a file.

A figure file has ``TITLE``, ``CAPTION``, ``UNITS`` (texts marked with ``N_``) and ``draw(run) -> Picture | Blank``; and,
if it wants a place, ``SECTION`` (a section's anchor; without it the figure stands under "Further figures") and ``ORDER``.
"""
