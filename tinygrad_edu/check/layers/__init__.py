"""Hand-written layers: how they are called, run, and checked."""
