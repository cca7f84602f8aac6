"""Trevalan Agglomeration: an invented territory, grown from a seed; its devices speak like real ones."""
