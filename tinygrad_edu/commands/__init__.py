"""The commands of `tinygrad-edu`, one module each: a parser, and what it does.

`options.py` reads what all of them are given, `printing.py` writes what they print.
"""
