"""Dashboards: pages that people compose of widgets, kept as entities, shared and printed."""
