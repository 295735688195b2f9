"""The program that cuts `resources/demo/` from Debian and PyPI packages."""
