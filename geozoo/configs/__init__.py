"""Hydra groups that belong to no model and no dataset. YAML only."""
