"""The national services' side: stations of open data in the territory, told over HTTP as these services tell."""
