"""What happens in the territory: a declared line of events, and those that a visitor sets off."""
