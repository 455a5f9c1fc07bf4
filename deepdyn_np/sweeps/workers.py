"""Where the points run: an executor, worker processes of our own, or this process."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed

import numpy as np

from deepdyn_np.errors import expect, fail

#: A forked worker has every function that this process has, also those of a notebook. macOS and
#: Windows cannot fork safely; a worker there imports the function.
START = "fork" if sys.platform == "linux" else "spawn"
RESERVED = {"axes", "points", "columns", "done", "file", "allow_pickle"}  # of Sweep, and of np.savez
CURE = "Put it in a module, or pass executor=concurrent.futures.ThreadPoolExecutor()."


def evaluate(function, arguments):
    """``(columns, "")``, or ``(None, traceback)``: not every exception survives the way back."""
    try:
        returned = function(**arguments)
        columns = returned if isinstance(returned, dict) else {"value": returned}
        return {name: _numbers(name, value, arguments) for name, value in columns.items()}, ""
    except Exception:
        return None, traceback.format_exc()


def outcomes(executor, function, tasks, remark):
    """Yield ``(number, evaluate(...))`` for ``tasks``, a dict from numbers to arguments, as they end.

    ``remark`` is called with a text if the default cannot use all cores.
    """
    if executor is not None:
        yield from _gather(executor, (evaluate, function), tasks)
        return
    workers = min(_cores(), len(tasks))
    if workers > 1 and START != "fork" and not _importable(function):
        workers = 1
        remark(f"worker processes cannot import {name_of(function)}, so the points run one by one. "
               "Put it in a module to use every core.")
    if workers > 1:
        context = multiprocessing.get_context(START)
        with ProcessPoolExecutor(workers, context, _start_worker, (function,)) as pool:
            yield from _gather(pool, (_evaluate_inherited,), tasks)
    else:
        for number, arguments in tasks.items():
            yield number, evaluate(function, arguments)


def check_executor(executor, function):
    """Raise unless ``executor`` is one that can run ``function``."""
    expect(executor is None or isinstance(executor, Executor), "executor", "a concurrent.futures.Executor or None",
           repr(executor),
           "Of a Dask client pass client.get_executor(pure=False); of a class, an instance.")
    if isinstance(executor, ProcessPoolExecutor):
        try:
            pickle.dumps(function)
        except Exception:
            fail("function", "one that a worker process can import", name_of(function), CURE)


def name_of(function):
    """The name under which a function was defined."""
    return getattr(function, "__qualname__", type(function).__name__)


def _gather(executor, call, tasks):
    """Submit ``call`` with the arguments of each task, and yield ``(number, outcome)`` as they end."""
    numbers = {}
    try:
        for number, arguments in tasks.items():
            numbers[_submit(executor, *call, arguments)] = number
        for future in as_completed(list(numbers)):
            yield numbers.pop(future), _outcome(future)
    finally:  # after Ctrl-C: what has not begun shall not begin
        for future in numbers:
            future.cancel()


def _submit(executor, *call):
    """The future of a call; a failed one if the workers have died already."""
    try:
        return executor.submit(*call)
    except BrokenExecutor as broken:
        future = Future()
        future.set_exception(broken)
        return future


def _outcome(future):
    try:
        return future.result()
    except BrokenExecutor:
        return None, (f"{traceback.format_exc()}\nA worker process died. Was it out of memory, or could it not import "
                      "the function, as one defined in a notebook or in a script without "
                      f"`if __name__ == \"__main__\"`? {CURE}")
    except Exception:
        return None, traceback.format_exc()


def _numbers(name, value, arguments):
    array = np.asarray(value)
    expect(array.dtype.kind in "biufc", "function", f"numbers or an array of numbers as {name!r}",
           f"{type(value).__name__} of dtype {array.dtype}", "Return {name: numbers, ...} or a number.")
    free = isinstance(name, str) and name.isidentifier() and name not in RESERVED and name not in arguments
    expect(free, "function", "results under names of their own", repr(name),
           "It is a parameter, or an attribute of the Sweep, or no name.")
    return array


def _cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _importable(function):
    """Whether a fresh process finds the function: in a module, or in a script that it can run again."""
    try:
        named = pickle.dumps(function)
    except Exception:
        return False
    return b"__main__" not in named or hasattr(sys.modules["__main__"], "__file__")


# --- inside a worker process of our own -----------------------------------------------------------

_inherited = None


def _start_worker(function):
    global _inherited
    _inherited = function
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _use_one_blas_thread()


def _evaluate_inherited(arguments):
    return evaluate(_inherited, arguments)


def _end_with_parent():
    """A killed parent cannot tell its workers, and they would wait for it for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _use_one_blas_thread():
    """The workers fill the cores. A BLAS that numpy does not name here keeps its own setting."""
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    for name in ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads", "MKL_Set_Num_Threads"):
        if hasattr(library, name):
            getattr(library, name)(1)
