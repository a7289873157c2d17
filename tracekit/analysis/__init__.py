"""Tables become what they mean: latencies, delays, blame."""
