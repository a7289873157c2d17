"""What would change the answer: found by replaying the same work with more, with less, and between."""
