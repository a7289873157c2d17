"""Runtimes, kernel policies, and the catalog that composes them into models."""
