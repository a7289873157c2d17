"""What was read in real recordings, beside what the reference tools read in them."""
