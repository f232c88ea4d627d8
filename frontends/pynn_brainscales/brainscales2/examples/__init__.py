"""Short examples, one module each; :func:`main` runs the experiment and returns what it measured."""
