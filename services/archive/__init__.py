"""The record: every event for good, the latest of each publication, its receipt."""
