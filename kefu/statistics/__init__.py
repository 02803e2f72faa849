"""Statistics and scoring arithmetic as pure functions: no database, no files, no clock.

Estimates and test statistics are floats; from the curve onward everything is `Decimal`. Sums are order-independent,
so permuting rows or agents changes no digit of any result.
"""
