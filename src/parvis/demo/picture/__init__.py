"""The base map: vector tiles drawn from the land, their style, and where they are kept."""
