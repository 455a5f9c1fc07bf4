"""Let every test file import the shared oracles, ``from oracles import ...``, on one core."""

import os
import sys
from pathlib import Path

# Before numpy is imported: on the small matrices of the tests a second BLAS thread only waits,
# and on a busy machine it waits for long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
