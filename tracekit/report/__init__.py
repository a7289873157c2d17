"""Metric and interval tables become one HTML page: a data step and a draw step per figure."""
