"""Pure functions of arrays that compare samples: distances between distributions, Fréchet and kernel
distances, coverage.
"""
