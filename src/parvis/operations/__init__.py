"""Keeping the platform and the territory's works running."""
