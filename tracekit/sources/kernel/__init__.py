"""Kernel scheduling events, whatever format they came in, to the tables of a trace."""
