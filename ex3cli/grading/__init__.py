"""What `ex3 grade` finds in a folder that a student hands in; the folder is copied first, and only read."""
