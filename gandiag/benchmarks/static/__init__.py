"""Whether lost kinds are seen: generators that are known by construction, on unlike data sets."""
