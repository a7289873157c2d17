"""The contracts: schema as data, builders, checks, and the store. See `schema.TABLES`."""
