"""Small programs, one a subject, that the benchmark starts and commands by JSON lines."""
