"""Recipes, suites and grids: steps that are processes of their own, which a restart skips when they are done."""
