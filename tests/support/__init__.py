"""What tests with real processes have in common."""
