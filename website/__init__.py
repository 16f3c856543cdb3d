"""The documentation site: `make docs`, or `python -m website`.

Pages are assembled in `build/site/source` from `docs/`, the notebooks, the changelog, the tables of training
methods and credit sources and the docstrings of their files; Sphinx makes HTML of them that needs no network.
"""
