"""Photos from files: matte, replace, cut out, erase; one by one or in batches."""
