"""The notifier: brings publications to the media by mail, at once or in each outlet's daily digest."""
