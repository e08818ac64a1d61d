"""Tools for data sets: browse, check, list, resize, unpack."""
