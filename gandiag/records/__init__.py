"""Records: everything that a training run leaves on disk, and third-party logs read as records."""
