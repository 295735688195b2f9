"""`python -m hyenadna`, the same as the command `hyenadna`."""

from hyenadna.cli import main

main()
