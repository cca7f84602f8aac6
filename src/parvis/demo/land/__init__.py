"""The ground the demonstration stands on: terrain, communes, roads, streets, buildings and their addresses."""
