"""The entry point of `ex3`, and of `python -m ex3cli` where scripts are not on the path."""

import os
import sys


def main() -> None:
    """Load the commands and run the one that was asked for.

    Standard streams that were closed by whoever started this are opened first, or a run's files would take
    their descriptors.

    Ctrl-C while they load ends the process as it ends any other program, without a traceback; later the
    commands see to it.
    """
    import signal

    open_descriptors()
    # a process that this one starts imports nothing from the working folder
    os.environ["PYTHONSAFEPATH"] = "1"
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a parent may have had it ignored
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ex3cli.cli import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def open_descriptors() -> None:
    """Open the descriptors 0 to 2 that are closed, to the null device: the system gives out the lowest that
    is free.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)


if __name__ == "__main__":
    if (
        not sys.flags.safe_path
    ):  # `python -m` puts the working folder first, where a random.py would stand for Python's own
        sys.path.append(sys.path.pop(0))
    main()
