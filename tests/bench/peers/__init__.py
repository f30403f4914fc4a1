"""What we are measured against: the same work done barely, and as most would do it."""
