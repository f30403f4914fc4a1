"""The publisher: puts each publication on every channel it belongs on, and keeps it as it should stand."""
