"""Confine a process, then run Python in it; started by `sandbox`, as a script of its own.

    python -I -S launch.py SETTINGS

The settings are JSON, the fields of `sandbox.Limits` and a few more. What is started here, the
*keeper*, is trusted; it starts the student's process, waits until that ends, until its standard
input is closed (the grader is done, or dead) or until the time is up, kills whatever is left and
writes one line on its standard error: how it ended.

With ``"isolation": "full"`` (Linux) the student's process gets namespaces of its own: a process
tree that dies as a whole, no network, and a file system that holds Python, the system's libraries
and an empty folder in memory, nothing else. With ``"limits"`` it gets resource limits only, and its
process group is killed. In both, root becomes a user that owns nothing.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE, MOUNT_SETATTR, ATTR_READ_ONLY = -100, 0x8000, 442, 1 | 2  # and no set-user-id
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
NOBODY = 65534
UNUSED_UIDS = 2_000_000_000  # plus a process id: a user that owns nothing and runs nothing else
HOME = "/home/student"
SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
)
FONTS = "/usr/share/fonts"  # matplotlib would read all of them, each time; it brings its own

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Call a function of the C library; raise what it reports."""
    arguments = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main():
    """Keep one student's process; report how it ended."""
    settings = json.loads(sys.argv[1])
    full, root = settings["isolation"] == "full", os.getuid() == 0
    try:
        uid = owner_of_nothing(settings["folder"]) if root else os.getuid()
        if full:
            enter_namespaces(root)
        elif sys.platform == "linux":
            call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become ours, to be killed
        child = os.fork()
        if child == 0:
            start(settings, full, root, uid)
    except OSError as error:
        sys.exit(f"failed: {error.strerror}")
    os.close(1)  # so that the grader sees the end of the student's process
    ended = wait(child, settings["wall"])
    if not full:
        kill_strays(child, uid)
    remove(settings["folder"])  # the grader may be dead
    os.write(2, ended.encode())


def enter_namespaces(root):
    """Take the children to come out of the system's namespaces; their file system follows in `new_root`."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", NEWIPC | NEWPID | NEWNET | (0 if root else NEWUSER))
    if not root:
        for file, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{file}", "w") as map_file:
                map_file.write(text)


def start(settings, full, root, uid):
    """In the child: confine this process and become the student's Python; never returns."""
    try:
        home = settings["folder"]
        if full:
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            new_root(settings)
            home = HOME
            if student := os.fork():  # this is process 1 of its namespace; with it, all of them die
                init(student)
        os.setsid()
        if root:
            os.chown(home, uid, NOBODY)
        os.chdir(home)
        for name, value in settings["rlimits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        if sys.platform == "linux":
            call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(uid, uid, uid)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": home,
            "LANG": "C.UTF-8",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": home,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        # the last thing before the student's own: from here on nothing can be reported
        report = os.dup(2)
        os.set_inheritable(report, False)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            os.execve(
                settings["python"], [settings["python"], "-I", "-B", "-c", settings["worker"]], environment
            )
        except OSError as error:
            os.write(
                report, f"failed: user {uid} cannot run {settings['python']}: {error.strerror}\n".encode()
            )
    except (OSError, ValueError) as error:
        os.write(2, f"failed: {getattr(error, 'strerror', None) or error}\n".encode())
    os._exit(1)


def owner_of_nothing(folder):
    """Give ``folder`` to a user that owns and runs nothing else; where there is none, to nobody."""
    uid = UNUSED_UIDS + os.getpid()
    try:
        os.chown(folder, uid, NOBODY)
    except OSError:  # a container that knows few users
        uid = NOBODY
        os.chown(folder, uid, NOBODY)
    return uid


def new_root(settings):
    """Make a file system in memory that shows Python and the system's libraries, and move into it."""
    folder = settings["folder"]
    call("unshare", NEWNS)
    call("mount", "none", "/", None, MS_REC | MS_PRIVATE, None)
    call(
        "mount",
        "tmpfs",
        folder,
        "tmpfs",
        MS_NOSUID | MS_NODEV,
        f"size={settings['disk']},nr_inodes=10000,mode=755",
    )
    for path in (*SYSTEM, *settings["readable"]):
        show(path, folder)
    if os.path.isdir(folder + FONTS):
        call("mount", "tmpfs", folder + FONTS, "tmpfs", MS_NOSUID | MS_NODEV, "size=0,mode=755")
    os.makedirs(folder + HOME)
    os.chdir(folder)
    call("pivot_root", ".", ".")
    call("umount2", ".", MNT_DETACH)
    os.chdir("/")


def show(path, folder):
    """Let the file or folder ``path`` be seen at the same path below ``folder``, read-only."""
    target = folder + path
    if not os.path.exists(path) or os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path) and not os.path.isabs(os.readlink(path)) and path in SYSTEM:
        os.symlink(os.readlink(path), target)  # /lib -> usr/lib
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT))
    call("mount", path, target, None, MS_BIND | MS_REC, None)
    attributes = (ctypes.c_uint64 * 4)(ATTR_READ_ONLY, 0, 0, 0)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, target, AT_RECURSIVE, attributes, ctypes.c_size_t(32))


def init(student):
    """Reap orphans until the student's own process has ended, then end the same way."""
    os.close(1)
    while True:
        pid, status = os.wait()
        if pid == student:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def wait(child, seconds):
    """Until ``child`` has ended, or has to end; how it ended, in words."""
    deadline, grader = time.monotonic() + seconds, select.poll()
    grader.register(0, 0)  # only its end is of interest
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            return f"killed by signal {code - 128}" if code > 128 else f"exited with code {code}"
        late = time.monotonic() > deadline
        if late or grader.poll(20):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "out of time" if late else "stopped"


def kill_strays(child, uid):
    """Kill what the student's process left behind: its group, its user's, and orphans of ours."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    if uid >= UNUSED_UIDS and os.fork() == 0:
        os.setresuid(uid, uid, uid)
        os.kill(-1, signal.SIGKILL)  # every process of a user that owns nothing else
        os._exit(0)
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for orphan in children():
                os.kill(orphan, signal.SIGKILL)
            time.sleep(0.01)


def remove(folder):
    """Remove the student's folder and what is in it."""
    try:
        os.rmdir(folder)  # with a file system of its own, nothing is in it
    except OSError:
        import shutil  # takes as long to import as all the rest

        shutil.rmtree(folder, ignore_errors=True)


def children():
    """Process ids of the children of this process, where the system tells them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    main()
