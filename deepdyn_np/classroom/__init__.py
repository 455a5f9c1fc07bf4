"""Release, grade and return the assignments of the book; for instructors.

The command line is ``python -m deepdyn_np.classroom``. See the page "For instructors".
"""
