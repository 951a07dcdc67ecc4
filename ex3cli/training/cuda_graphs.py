"""A training step captured once as a CUDA graph and replayed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WARM_UPS = 3
"""Iterations before the recording: states are made and convolutions' algorithms chosen in the first, memory
settles after.
"""

Inputs = TypeVar("Inputs", bound="DataclassInstance")


class Recording(NamedTuple):
    """A recorded body."""

    replay: Callable[[], None]  # plays it on what the inputs hold now
    result: Tensor  # where each playing leaves its result


class Backend(Protocol):
    """What records, and where."""

    def run(self, body: Callable[[], Tensor]) -> Tensor:
        """Run the body as it is, where it is recorded later."""
        ...

    def record(self, body: Callable[[], Tensor]) -> Recording:
        """Record the body without any effect on the tensors that it changes."""
        ...


class GraphedStep(Generic[Inputs]):
    """A function of tensors that is recorded after a few calls, and played from then on; every call takes
    effect once.

    Parameters
    ----------
    body : maps a dataclass of tensors (or None) to a tensor. Whatever else it reads and changes must stay at
        its address.
    backend : what records it; None calls the body each time.
    """

    def __init__(self, body: Callable[[Inputs], Tensor], backend: Backend | None) -> None:
        self.body, self.backend = body, backend
        self.forget()

    def forget(self) -> None:
        """Begin again, even after a failure: for when what the body changes has moved in memory."""
        self._calls = 0
        self._inputs: Inputs | None = None
        self._recording: Recording | None = None
        # why it could not be recorded, so that the body is called each time, only slower
        self.failure: str | None = None

    @property
    def is_graphed(self) -> bool:
        """Whether it has been recorded."""
        return self._recording is not None

    def __call__(self, inputs: Inputs) -> Tensor:
        """The body's result; once it is recorded, a tensor that the next call overwrites.

        Raises
        ------
        TypeError : an input is a Python number, say, which a recording would never see change.
        ValueError : an input has changed its shape, type or device, or is there in one call and not in
            another.
        """
        if self.backend is None:
            return self.body(inputs)
        kept = self._keep(inputs)
        self._calls += 1
        if self._calls > WARM_UPS and self._recording is None and self.failure is None:
            try:
                self._recording = self.backend.record(lambda: self.body(kept))
            except (
                RuntimeError
            ) as error:  # a driver's or a library's refusal; a recording has no effect, so nothing is lost
                self.failure = str(error).strip().split("\n")[0] or type(error).__name__
        if self._recording is None:
            return self.backend.run(lambda: self.body(kept))
        self._recording.replay()
        return self._recording.result

    def _keep(self, inputs: Inputs) -> Inputs:
        """The inputs' values, in tensors whose addresses never change."""
        if self._inputs is None:
            self._inputs = replace(inputs, **{name: _copy(name, value) for name, value in _items(inputs)})
            return self._inputs
        for (name, kept), (_, value) in zip(_items(self._inputs), _items(inputs), strict=True):
            if _form(kept) != _form(value):
                raise ValueError(
                    f"{name} was {_form(kept)} and is {_form(value)}: a recorded body cannot follow"
                )
            if kept is not None:
                kept.copy_(value, non_blocking=True)
        return self._inputs


class CudaGraphBackend:
    """Records CUDA graphs on a stream of its own, on which the first iterations run too.

    One stream for both: autograd accumulates a gradient on the stream that its weight was first used on, and
    libraries keep
    their workspaces by stream.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run(self, body: Callable[[], Tensor]) -> Tensor:
        """See `Backend`. Memory of this stream is safe to use again: each run begins by waiting for the
        caller's stream.
        """
        caller = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(caller)
        with torch.cuda.stream(self.stream), fastest_convolutions():
            result = body()
        caller.wait_stream(self.stream)
        return result

    def record(self, body: Callable[[], Tensor]) -> Recording:
        """See `Backend`. The graph keeps all memory that it works in, its result among it, to itself."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream), fastest_convolutions():
            result = body()
        return Recording(graph.replay, result)


def default_backend(device: torch.device) -> Backend | None:
    """What records on a device; None where nothing does, as on a CPU, which has no launches to save."""
    return CudaGraphBackend(device) if device.type == "cuda" else None


@contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Let cuDNN try its algorithms on each new shape: a few seconds once, and never during a recording of
    known shapes.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _items(inputs: "DataclassInstance") -> list[tuple[str, Any]]:
    return [(field.name, getattr(inputs, field.name)) for field in fields(inputs)]


def _copy(name: str, value: object) -> Tensor | None:
    if value is None:
        return None
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}, which a recording would freeze: give a tensor")
    return value.detach().clone()


def _form(value: object) -> str:
    """Everything of a tensor that a recording has frozen."""
    return (
        f"{value.dtype} {tuple(value.shape)} on {value.device}"
        if isinstance(value, Tensor)
        else type(value).__name__
    )
