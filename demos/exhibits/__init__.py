"""The exhibits of the bug museum."""
