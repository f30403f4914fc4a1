"""Media files: taken from departments, freed of what nobody should read in them, stored once, shown small."""
