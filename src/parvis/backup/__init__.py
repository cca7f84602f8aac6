"""Copies of an installation that hold what is the same only once, and are read back before they are trusted."""
