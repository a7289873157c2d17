"""The commands. The only part that imports all others, each lazily."""
