"""One plugin of each family, in one file each."""
