"""A synthetic operation with a known truth: a world in the formats of real systems, which knows no warehouse."""
