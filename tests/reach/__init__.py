"""Whether everybody can reach everything: axe on every page of the product, in both languages, sizes and themes.

`python -m tests.reach` looks at the whole product (some minutes); the suite looks at each page in one of these ways.
"""
