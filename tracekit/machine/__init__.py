"""Machine profiles: what each cost is on a machine, with unit, spread and source."""
