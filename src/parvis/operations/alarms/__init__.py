"""Alarms: one for each rule and object, with the life cycle of ANSI/ISA-18.2 (IEC 62682)."""
