"""A number, a graph, a sweep."""
