"""Tables become one long metric table."""
