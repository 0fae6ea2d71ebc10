"""Kernels and commands forked from a process that has imported what most of them import.

Importing torch, pandas and matplotlib takes longer than most notebooks in smoke mode, and than the
training of a toy. `server` imports them once, then forks a process for each that asks: a `client`,
which stands for it as far as Jupyter or torchrun can see, and lives as long; or a `Command` (see
`forked_commands`). Nothing else is shared: a forked process has the environment, the folder and the
streams of the one that asked.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

EARLY = (
    *("ipykernel.kernelapp", "ocrkit.notebooks", "ocrkit.results.figures.style", "seaborn", "cv2"),
    # Late imports of libraries: of the first table that is shown, of an optimizer's first step.
    *("pandas.io.formats.style", "torch._dynamo"),
    *("ocrkit.models", "ocrkit.papers.shared.scene_sets", "ocrkit.papers.shared.study"),
    *("ocrkit.reader", "ocrkit.synth", "ocrkit.training"),
    *("ocrkit.cli", "ocrkit.experiments.own", "ocrkit.experiments.runner", "ocrkit.results.show"),
)


@contextlib.contextmanager
def forked_kernels(folder: Path) -> Iterator[None]:
    """Within the block, where JUPYTER_PATH is `folder`, the kernel "python3" is a forked one.

    folder: an empty one, with a short name.
    """
    import subprocess

    address = folder / "s"
    spec = folder / "kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    command = [sys.executable, "-S", __file__, str(address)]
    about = {"argv": [*command, "-f", "{connection_file}"], "display_name": "", "language": ""}
    spec.write_text(json.dumps(about), encoding="utf-8")
    # It ends when its input does: with this process, however that ends.
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        text=True,
    )
    try:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        yield
    finally:
        server.communicate()


def forked(address: str) -> list[str]:
    """What to tell torchrun before `-m MODULE`, so that its processes are forked."""
    return ["--no-python", sys.executable, "-S", __file__, address]


def client(address: str, arguments: list[str]) -> int:
    """Ask for a kernel or `-m MODULE ARGUMENTS` and hand on signals; its exit code when it ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        asked = {"argv": arguments, "env": dict(os.environ), "cwd": str(Path.cwd())}
        if arguments[0] == "-m":
            asked |= {"module": arguments[1], "argv": arguments[2:]}
        ask(connection, asked, [0, 1, 2])
        forked = number(connection)
        for name in (signal.SIGINT, signal.SIGTERM) if "module" in asked else (signal.SIGINT,):
            signal.signal(name, lambda number, _: os.kill(forked, number))
        # A test session that is killed takes its kernels along.
        parent = os.getppid()
        while os.getppid() == parent:
            if select.select([connection], [], [], 1.0)[0]:
                return number(connection)  # 0 where it says nothing more, as a kernel
        return 1


def ask(connection: socket.socket, asked: dict, streams: list[int]) -> None:
    message = json.dumps(asked).encode()
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], streams)
    connection.sendall(message)


def number(connection: socket.socket) -> int:
    """The process that was forked, or later how a command ended."""
    return int.from_bytes(connection.recv(8), "big", signed=True)


def _tell(connection: socket.socket, number: int) -> None:
    connection.sendall(number.to_bytes(8, "big", signed=True))


def server(address: str) -> Callable[[], object]:
    """Import, then fork for each that asks; returns in a forked process: what it is to do."""
    for name in EARLY:
        importlib.import_module(name)
    # Its first import looks for the notebook that figures go to.
    assert "matplotlib_inline.backend_inline" not in sys.modules
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.exit()
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    message = b""
    while len(message) < int.from_bytes(size, "big"):
        message += connection.recv(1 << 16)
    asked = json.loads(message)
    if "module" in asked:
        return _become_command(connection, asked, streams)
    return _become_kernel(connection, asked, streams)


def _take_over(asked: dict, streams: list[int]) -> None:
    """In a forked process: have the streams, environment and folder of the one that asked."""
    os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.environ.pop("JPY_PARENT_PID", None)  # of a process that is not our parent
    os.chdir(asked["cwd"])


def _become_kernel(
    connection: socket.socket, asked: dict, streams: list[int]
) -> Callable[[], object]:
    _take_over(asked, streams)
    sys.argv = ["ipykernel_launcher", *asked["argv"]]
    sys.path[0] = ""
    _tell(connection, os.getpid())

    def end_with_client() -> None:
        if not connection.recv(1):
            os._exit(1)

    threading.Thread(target=end_with_client, daemon=True).start()

    from ipykernel.kernelapp import launch_new_instance

    return launch_new_instance


def _become_command(
    connection: socket.socket, asked: dict, streams: list[int]
) -> Callable[[], object]:
    import functools
    import multiprocessing.process
    import runpy
    import tempfile

    if command := os.fork():  # its parent waits for it
        for stream in streams:
            os.close(stream)
        _tell(connection, command)

        def end_with_client() -> None:
            if not connection.recv(1):
                os.kill(command, signal.SIGKILL)

        threading.Thread(target=end_with_client, daemon=True).start()
        ended = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        with contextlib.suppress(BrokenPipeError):  # the one that asked was killed
            _tell(connection, ended)
        os._exit(0)
    connection.close()
    _take_over(asked, streams)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(stream, mode, encoding="utf-8", buffering=line_by_line)
        for stream, mode, line_by_line in ((0, "r", -1), (1, "w", -1), (2, "w", 1))
    )
    tempfile.tempdir = None  # asks TMPDIR again
    multiprocessing.process.ORIGINAL_DIR = asked["cwd"]  # as if it had been imported there
    sys.argv = [asked["module"], *asked["argv"]]
    sys.path[0] = asked["cwd"]
    added = asked["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [place for place in added if place and place not in sys.path]
    sys.modules.pop("sitecustomize", None)
    with contextlib.suppress(ImportError):
        importlib.import_module("sitecustomize")
    return functools.partial(runpy.run_module, asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(client(sys.argv[1], sys.argv[2:]))
    else:
        server(sys.argv[1])()
