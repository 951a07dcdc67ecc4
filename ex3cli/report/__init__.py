"""One page to hand in, made from what artifacts/ holds; it reads run folders and never a feature's code."""
