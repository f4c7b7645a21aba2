"""Whether an output is what its node's `checks` ask for: a score, and the reasons for it."""
