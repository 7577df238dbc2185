"""The sections of a report, one a file: each has ``NAME``, its anchor, and ``make(run) -> Section``. See ``reports.page``."""
