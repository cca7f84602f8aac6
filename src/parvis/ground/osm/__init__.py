"""OpenStreetMap extracts (.osm.pbf) read into map layers and a road graph."""
