"""Oncology: tumour growth and its response to drugs."""
