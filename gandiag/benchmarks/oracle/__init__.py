"""Oracle: measures a training run with the known truth about the data, and labels its failures."""
