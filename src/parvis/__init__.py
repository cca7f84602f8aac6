"""Parvis: an open territory platform."""

__version__ = "0.1.0"
