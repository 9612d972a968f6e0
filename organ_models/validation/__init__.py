"""Published values that the models must reproduce, one file a model or family; declared as data."""
