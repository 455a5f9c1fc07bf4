"""A sweep on a Dask cluster: the same numbers as at home, for a function that no worker can import."""

import os

import numpy as np
import pytest
from distributed import Client, LocalCluster

import deepdyn_np as dd

GRID = {"eta": [0.1, 0.2, 0.4], "B": [1, 8]}


@pytest.fixture(scope="module")
def client():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


def test_a_cluster_gives_the_same_numbers(client):
    scale = 2

    def experiment(eta, B, rng):
        return {"noise": scale * eta * B * rng.normal(size=3), "process": os.getpid()}

    at_home = dd.sweep(experiment, GRID, progress=False)
    with client.get_executor(pure=False) as executor:
        found = dd.sweep(experiment, GRID, executor, progress=False)
    np.testing.assert_array_equal(found.noise, at_home.noise)
    assert os.getpid() not in found.process


def test_a_failing_point_on_a_cluster_leaves_the_others_and_a_second_call_the_rest(client, tmp_path):
    marker = tmp_path / "mended"

    def experiment(n):
        if n == 1 and not marker.exists():
            raise dd.NotSeparableError("not yet", certificate=None)
        return {"square": n**2, "process": os.getpid()}

    with client.get_executor(pure=False) as executor:
        with pytest.raises(dd.SweepError, match="(?s)1 of 3 points failed.*At n=1:.*not yet") as caught:
            dd.sweep(experiment, {"n": range(3)}, executor, progress=False, save=tmp_path / "runs")
        np.testing.assert_array_equal(caught.value.sweep.square, [0, np.nan, 4])
        marker.touch()
        found = dd.sweep(experiment, {"n": range(3)}, executor, progress=False, save=tmp_path / "runs")
    assert found.square.tolist() == [0, 1, 4]
    assert found.process[0] == caught.value.sweep.process[0]  # read, not computed again


def test_a_client_is_not_an_executor(client):
    with pytest.raises(ValueError, match=r"executor: .*client.get_executor\(pure=False\)"):
        dd.sweep(lambda n: n, {"n": [1]}, client)
