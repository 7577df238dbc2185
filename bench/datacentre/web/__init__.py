"""HTTP round the data centre: who calls, what they may, how a refusal reads, and one module of routes a subject."""
