"""The checks of `ex3 grade` on a copy of a student's folder."""
