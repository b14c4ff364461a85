"""Verification of records: rescored from the weights, reproduced by a rerun, searched for leaks."""
