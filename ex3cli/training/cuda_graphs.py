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
"""Calls before the capture: the first creates states and chooses algorithms, the others settle the memory."""

Inputs = TypeVar("Inputs", bound="DataclassInstance")


class Recording(NamedTuple):
    """A captured body: `replay` executes it on the current inputs, and `result` is overwritten each time."""

    replay: Callable[[], None]
    result: Tensor


class Backend(Protocol):
    """Captures graphs."""

    def run(self, body: Callable[[], Tensor]) -> Tensor:
        """Run the body eagerly, where it is captured later."""
        ...

    def record(self, body: Callable[[], Tensor]) -> Recording:
        """Capture the body, without changing any tensor."""
        ...


class GraphedStep(Generic[Inputs]):
    """A function of tensors that is captured after a few eager calls and replayed from then on.

    Parameters
    ----------
    body : maps a dataclass of tensors or None to a tensor. All other tensors that it uses must keep their
        address.
    backend : captures the body; None always calls it eagerly.
    """

    def __init__(self, body: Callable[[Inputs], Tensor], backend: Backend | None) -> None:
        self.body, self.backend = body, backend
        self.forget()

    def forget(self) -> None:
        """Discard the capture, because tensors of the body have moved in memory."""
        self._calls = 0
        self._inputs: Inputs | None = None
        self._recording: Recording | None = None
        self.failure: str | None = None  # why the capture failed; the body is then called eagerly

    @property
    def is_graphed(self) -> bool:
        """Whether the body is captured."""
        return self._recording is not None

    def __call__(self, inputs: Inputs) -> Tensor:
        """The body's result; after the capture, a tensor that the next call overwrites.

        Raises
        ------
        TypeError : an input is no tensor, so that replays would not see it change.
        ValueError : an input has changed its shape, type or device, or is None in some calls only.
        """
        if self.backend is None:
            return self.body(inputs)
        kept = self._keep(inputs)
        self._calls += 1
        if self._calls > WARM_UPS and self._recording is None and self.failure is None:
            try:
                self._recording = self.backend.record(lambda: self.body(kept))
            except RuntimeError as error:  # from the driver or a library; a capture changes no tensor
                self.failure = str(error).strip().split("\n")[0] or type(error).__name__
        if self._recording is None:
            return self.backend.run(lambda: self.body(kept))
        self._recording.replay()
        return self._recording.result

    def _keep(self, inputs: Inputs) -> Inputs:
        """The inputs, copied into tensors with fixed addresses."""
        if self._inputs is None:
            self._inputs = replace(inputs, **{name: _copy(name, value) for name, value in _items(inputs)})
            return self._inputs
        for (name, kept), (_, value) in zip(_items(self._inputs), _items(inputs), strict=True):
            if _form(kept) != _form(value):
                raise ValueError(f"{name} was {_form(kept)} and is {_form(value)}, but the step is captured")
            if kept is not None:
                kept.copy_(value, non_blocking=True)
        return self._inputs


class CudaGraphBackend:
    """Captures CUDA graphs on a stream of its own, which also runs the eager calls.

    They share a stream because autograd accumulates a gradient on the stream that first used its weight, and
    libraries have a workspace per stream.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run(self, body: Callable[[], Tensor]) -> Tensor:
        """Run eagerly; each run waits for the caller's stream, so that memory can be reused."""
        caller = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(caller)
        with torch.cuda.stream(self.stream), fastest_convolutions():
            result = body()
        caller.wait_stream(self.stream)
        return result

    def record(self, body: Callable[[], Tensor]) -> Recording:
        """Capture the body; the graph owns its memory, including that of the result."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream), fastest_convolutions():
            result = body()
        return Recording(graph.replay, result)


def default_backend(device: torch.device) -> Backend | None:
    """The backend for a device; None on a CPU, which has no launch overhead."""
    return CudaGraphBackend(device) if device.type == "cuda" else None


@contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Let cuDNN measure its algorithms for each new shape, which takes a few seconds once."""
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
        raise TypeError(f"{name} is a {type(value).__name__}, which a capture would freeze: give a tensor")
    return value.detach().clone()


def _form(value: object) -> str:
    """The properties that a capture fixes."""
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} on {value.device}"
    return type(value).__name__
