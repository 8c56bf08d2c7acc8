"""The claims, re-measured by anyone: what watching costs, and how often the diagnosis is right."""
