"""Where real samples come from, one file a source."""
