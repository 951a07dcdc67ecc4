"""`ex3 divergence`: KL, JS and Wasserstein distance of two shifted lines, in closed form and estimated from
samples.
"""
