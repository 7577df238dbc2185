"""What a clinic's, a pharmacy's or a home-visit team's own software knows and does, beside what happens at a reader."""
