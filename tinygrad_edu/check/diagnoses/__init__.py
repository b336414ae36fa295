"""What is wrong with a derivative, by name: `naming` holds the laws of array_laws and others."""
