"""Getting published image sets ready: every step can be interrupted and run again, and overwrites nothing unasked."""
