"""The register of security incidents, with the clocks that the law sets running."""
