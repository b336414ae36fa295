"""Functions of torch, JAX and autograd, checked through the backward pass of their library.

recognition.py says which library an object belongs to, and imports none. library_check.py judges a
LibraryFunction (library_function.py); there is one for each library.
"""
