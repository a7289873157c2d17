"""Predictions checked against real execution: run the same work for real, replay it, and lay the two side by side."""
