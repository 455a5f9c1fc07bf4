"""Release, grade and return the assignments of the book; for instructors.

The command line is ``python -m deepdyn_np.classroom``. See the page "For instructors".
"""

__all__ = []  # a reader of the book needs none of it: import from the modules
