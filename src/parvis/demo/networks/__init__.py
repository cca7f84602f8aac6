"""What lies under, along and above the streets: water, light, power and buses, laid coherently from the land."""
