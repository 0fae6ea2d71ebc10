"""Kernels forked from a process that has imported what most notebooks import.

Importing torch, pandas and matplotlib takes longer than most notebooks in smoke mode. `server`
imports them once, then forks a kernel for each `client` that asks; a client stands for its kernel
as far as Jupyter can see, and lives as long. Nothing else is shared: a kernel has the environment,
the folder and the streams of its client.
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
from collections.abc import Iterator
from pathlib import Path

EARLY = (
    *("ipykernel.kernelapp", "ocrkit.notebooks", "ocrkit.results.figures.style", "seaborn", "cv2"),
    # Late imports of libraries: of the first table that is shown, of an optimizer's first step.
    *("pandas.io.formats.style", "torch._dynamo"),
    *("ocrkit.models", "ocrkit.papers.shared.scene_sets", "ocrkit.papers.shared.study"),
    *("ocrkit.reader", "ocrkit.synth", "ocrkit.training"),
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


def client(address: str, arguments: list[str]) -> None:
    """Ask for a kernel, hand on interrupts, and end when it ends."""
    asked = {"argv": arguments, "env": dict(os.environ), "cwd": str(Path.cwd())}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        message = json.dumps(asked).encode()
        socket.send_fds(connection, [len(message).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(message)
        kernel = int.from_bytes(connection.recv(8), "big")
        signal.signal(signal.SIGINT, lambda *_: os.kill(kernel, signal.SIGINT))
        # A test session that is killed takes its kernels along.
        parent = os.getppid()
        while os.getppid() == parent and not select.select([connection], [], [], 1.0)[0]:
            pass


def server(address: str) -> None:
    """Import, then fork a kernel for each client; returns in a kernel alone, which is to be run."""
    for name in EARLY:
        importlib.import_module(name)
    # Its first import looks for the notebook that figures go to.
    assert "matplotlib_inline.backend_inline" not in sys.modules
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the kernels
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
    _become_kernel(connection)


def _become_kernel(connection: socket.socket) -> None:
    """In a forked process: take over what the client has."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    message = b""
    while len(message) < int.from_bytes(size, "big"):
        message += connection.recv(1 << 16)
    asked = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.environ.pop("JPY_PARENT_PID", None)  # of a process that is not our parent
    os.chdir(asked["cwd"])
    sys.argv = ["ipykernel_launcher", *asked["argv"]]
    sys.path[0] = ""
    connection.sendall(os.getpid().to_bytes(8, "big"))

    def end_with_client() -> None:
        if not connection.recv(1):
            os._exit(1)

    threading.Thread(target=end_with_client, daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        client(sys.argv[1], sys.argv[2:])
    else:
        server(sys.argv[1])
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance()
