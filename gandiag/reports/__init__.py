"""Reports of runs: figures, the report page, the live server, and one output format a file."""
