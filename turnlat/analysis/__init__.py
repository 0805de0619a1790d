"""What several runs say together: whether two runs differ, by how much, and where it comes from."""
