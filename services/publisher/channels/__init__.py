"""A file (or package) a channel, named as CHANNELS names it; `interface.py` is what each implements."""
