"""The live page of `ex3 lab draw`: its server, its training process and their messages."""
