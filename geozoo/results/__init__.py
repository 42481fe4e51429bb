"""Recorded runs and published numbers: rows, ledger, tables of the cards."""
