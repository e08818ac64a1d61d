"""What a trained network's features are worth: commands that take a weights file through a protocol."""
