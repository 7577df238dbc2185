"""Maps of the media's own weaknesses: where each works, and where it does not. A package a medium, named after it."""
