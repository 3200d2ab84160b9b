"""Compare runs that differ in one thing: seeds, variations, paired differences, tables, figures."""
