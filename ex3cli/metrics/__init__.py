"""Pure functions of arrays that compare samples.

Divergences, FID, KID, coverage, and statistics of counts.
"""
