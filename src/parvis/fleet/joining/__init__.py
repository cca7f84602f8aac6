"""Devices that come in many, or by a label."""
