"""The live page of `ex3 lab draw`: one training, obeying a page and describing itself to it."""
