"""A graph as a program: its rules run on symbols, and written in a language."""
