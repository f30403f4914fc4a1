"""How the services are run: containers, the run on one machine, servers' configuration."""
