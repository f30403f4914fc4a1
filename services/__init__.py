"""The four services. None imports another: they meet on the bus, in the words of `shared`."""
