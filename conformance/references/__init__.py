"""The reference devices as devices under test: what the suite is tried on, and what others may compare theirs with."""
