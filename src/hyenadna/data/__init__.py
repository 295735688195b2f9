"""Data sets: the token cache, pretraining and evaluation windows, labelled sequences."""
