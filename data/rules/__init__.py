"""Pure rules: time, billing, money, labels; the standard library, and pandas for the cumsum."""
