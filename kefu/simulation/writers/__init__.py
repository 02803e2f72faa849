"""A `World` in the formats of real systems, so that their connectors read it as they read a real site."""
