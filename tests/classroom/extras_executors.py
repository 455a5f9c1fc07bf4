"""Other executors than this machine's, and 200 submissions; run by ``make test-extras``."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import distributed
import nbformat
from toy_assignment import work, written

from deepdyn_np.classroom.grade import grade
from deepdyn_np.classroom.questions import RELEASED_ID

ROOT = Path(__file__).resolve().parents[2]


def test_a_dask_cluster_grades_as_this_machine_does(toy, tmp_path):
    names = [f"student{k}" for k in range(6)]
    folder = written(
        tmp_path / "in",
        **{
            name: work(name, mean="mean = x.mean()" if name != "student3" else "mean = 0.0") for name in names
        },
        loop=work("loop", "while True: pass"),
        text="no notebook",
    )
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        host="127.0.0.1",
        local_directory=str(tmp_path / "dask"),
    )
    with cluster, distributed.Client(cluster) as client:
        there = grade(folder, toy, tmp_path / "dask.jsonl", executor=client.get_executor(pure=False))
    with ThreadPoolExecutor(2) as threads:
        here = grade(folder, toy, tmp_path / "threads.jsonl", executor=threads)
    for one, other in zip(there, here, strict=True):
        assert [part["points"] for part in one["questions"].values()] == [
            part["points"] for part in other["questions"].values()
        ]
        assert one["student"] == other["student"] and one["status"] == other["status"]
    assert (
        sum(part["points"] or 0 for result in there for part in result["questions"].values()) == 6 * 5 - 2 + 5
    )


def test_200_submissions_in_two_minutes_on_two_cores(tmp_path, capsys):
    """Half of each assignment, all right; nothing else runs meanwhile."""
    seconds = 0
    for name in ("hw01_gradients", "hw02_max_margin"):
        master = nbformat.read(ROOT / "book" / "assignments" / name / f"{name}.ipynb", as_version=4)
        text = nbformat.writes(master)
        assert RELEASED_ID in text
        folder = written(
            tmp_path / name, **{f"student{k}": text.replace(RELEASED_ID, f"student{k}") for k in range(100)}
        )
        start = time.monotonic()
        results = grade(folder, ROOT / "book" / "assignments" / name, tmp_path / f"{name}.jsonl", jobs=2)
        seconds += time.monotonic() - start
        lost = [
            part
            for result in results
            for part in result["questions"].values()
            if part["kind"] not in ("right", "by hand")
        ]
        assert len(results) == 100 and lost == []
    with capsys.disabled():
        print(f"\n200 submissions in {seconds:.0f} s")
    assert seconds <= 120
