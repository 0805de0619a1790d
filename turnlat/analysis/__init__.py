"""What runs say about each other: rules, checks, comparisons, and the statistics behind them."""
