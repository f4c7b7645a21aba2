"""Asking models: which connection, what the model is told, what comes back. The tools are in `builtin`."""
