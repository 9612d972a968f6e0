"""Measurements of speed, with everything they are compared against; not part of the installed package."""
