"""What is wrong with a derivative, by name."""
