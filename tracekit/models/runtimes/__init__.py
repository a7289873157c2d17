"""Runtimes: how tasks sit on kernel threads. One file each."""
