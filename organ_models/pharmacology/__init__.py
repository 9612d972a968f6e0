"""Pharmacology: exposure to drugs and what exposure does."""
