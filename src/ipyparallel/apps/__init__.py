"""Old import paths of the applications.

IPython itself imports three of them, for ``ipython profile create --parallel``.
"""
