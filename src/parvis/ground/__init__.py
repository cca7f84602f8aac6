"""The ground under the data: the base map and the road graph, drawn from what is known of the land."""
