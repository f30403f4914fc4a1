"""The front desk: takes publications from departments durably, and puts them on the bus at their hour."""
