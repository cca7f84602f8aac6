"""The official conformance suite, run against fresh instances of this platform."""
