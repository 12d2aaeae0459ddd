"""What shows, refuses and guards: no number depends on it, so the rules follow none of it. Free of torch."""
