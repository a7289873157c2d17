"""Kernel policies: how kernel threads share CPUs. One file each."""
