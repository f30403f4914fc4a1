"""What more than one service must agree on: publications, events, the bus, the database, telemetry."""
