"""The report page and the page of two runs: their content, templates, styles and script."""
