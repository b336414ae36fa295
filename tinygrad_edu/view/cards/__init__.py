"""What a picture says of a graph."""
