"""Checks of what cvx promises, on many kinds of data. `scripts/check_truth_wide.py` runs them."""
