"""Measurements of speed, each a module to run by hand."""
