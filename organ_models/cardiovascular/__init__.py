"""Cardiovascular organ models."""
