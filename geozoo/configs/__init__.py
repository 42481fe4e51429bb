"""Hydra groups that belong to no model and no data set. YAML only."""
