"""Recorded runs and published numbers: result rows, ledger, card tables."""
