"""Data races: accesses to one variable, one of them a write, that nothing orders."""
