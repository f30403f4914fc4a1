"""Local servers that stand for the outside platforms: they answer as the platforms' documentation says."""
