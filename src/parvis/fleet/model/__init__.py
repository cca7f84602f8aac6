"""What is spoken of everywhere in the fleet: uplinks, network events, refusals, deliveries, clocks."""
