"""Exit codes of every command. The same everywhere, so that a pipeline can tell a bad device from a bad set-up."""

PASS = 0
LAW_BROKEN = 1  # non-conformant, a broken promise, or a broken conservation law
USAGE = 2
ENVIRONMENT = 3
CONFIGURATION = 4  # a scenario or configuration file
NOTHING_RAN = 5
INCONCLUSIVE = 6
UNEXPECTED_PASS = 7
INTERRUPTED = 130
