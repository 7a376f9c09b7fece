"""Written-down searches: `outline` reads and writes numbered steps, `fan` one line for each state."""
