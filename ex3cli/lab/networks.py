"""Small fully connected networks, differentiated by hand: at this size autograd's bookkeeping would be most of the work."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


class Network:
    """Linear layers with leaky ReLU between them; all weights and biases lie in one flat vector, their gradients in another.

    Parameters
    ----------
    sizes : units of each layer, the input's first.
    leak : slope of the activation below zero; 0 is ReLU.
    draws : gives the weights, N(0, 2/((1 + leak²)·fan-in)) (He et al. 2015), the last layer's N(0, 1/fan-in). Biases are zero.
    """

    def __init__(self, sizes: Sequence[int], leak: float, draws: torch.Generator) -> None:
        self.sizes, self.leak = tuple(sizes), leak
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        self.flat = torch.zeros(sum((inputs + 1) * outputs for inputs, outputs in pairs))
        self.gradient = torch.zeros_like(self.flat)
        self.layers, self.layer_gradients = self.views(self.flat), self.views(self.gradient)
        for index, (weight, _) in enumerate(self.layers):
            gain = 1.0 if index == len(pairs) - 1 else 2 / (1 + leak**2)
            weight.copy_(torch.randn(weight.shape, generator=draws) * (gain / len(weight)) ** 0.5)

    def views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's weight (inputs, outputs) and bias (outputs,), as views of a flat vector."""
        layers, start = [], 0
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            middle = start + inputs * outputs
            layers.append((flat[start:middle].view(inputs, outputs), flat[middle : middle + outputs]))
            start = middle + outputs
        return layers

    def __call__(self, values: Tensor, flat: Tensor | None = None) -> Tensor:
        """(rows, inputs) → (rows, outputs) with the own weights or those in `flat`, by operations that autograd follows."""
        *hidden, (weight, bias) = self.layers if flat is None else self.views(flat)
        for inner_weight, inner_bias in hidden:
            values = F.leaky_relu(torch.addmm(inner_bias, values, inner_weight), self.leak)
        return torch.addmm(bias, values, weight)


class Pass:
    """Forward and backward through a network for a fixed number of rows, in room that is claimed once."""

    def __init__(self, network: Network, rows: int) -> None:
        self.network = network
        self._outputs = [torch.empty(rows, units) for units in network.sizes[1:]]  # of each layer, after its activation
        self._slopes = [torch.empty(rows, units) for units in network.sizes]  # at each layer's output, before its activation
        self._tangents = [torch.empty(rows, units) for units in network.sizes[1:-1]]
        self._input = torch.empty(0)
        self._scratch = torch.empty_like(network.gradient)
        self._additions = network.views(self._scratch)

    def forward(self, values: Tensor) -> Tensor:
        """(rows, inputs) → (rows, outputs); the next call overwrites what this one returned."""
        self._input = values
        network = self.network
        for (weight, bias), output in zip(network.layers, self._outputs, strict=True):
            torch.addmm(bias, values, weight, out=output)
            if output is not self._outputs[-1]:
                F.leaky_relu_(output, network.leak)
            values = output
        return values

    def backward(self, slope: Tensor, *, weights: bool = True, inputs: bool = False) -> Tensor:
        """Chain a loss's slope at the output, (rows, outputs), back through the last `forward`.

        Writes the network's gradient where `weights` is asked for; returns the slope at the input where `inputs` is.
        """
        network = self.network
        self._slopes[-1].copy_(slope)
        for index in range(len(network.layers) - 1, -1, -1):
            slope = self._slopes[index + 1]
            if weights:
                into_weight, into_bias = network.layer_gradients[index]
                torch.mm((self._outputs[index - 1] if index else self._input).t(), slope, out=into_weight)
                torch.sum(slope, 0, out=into_bias)
            if index or inputs:
                torch.mm(slope, network.layers[index][0].t(), out=self._slopes[index])
            if index:
                self._damp(self._slopes[index], index - 1)
        return self._slopes[0]

    def curve(self, direction: Tensor) -> None:
        """Add ∂/∂weights of Σ direction·∇ₓ(score) to the network's gradient, after `backward` from slopes of one.

        The network is linear in x around each row, so its slope along `direction` is the direction carried forward through
        the layers, and each weight's share is what arrives before it times the slope behind it; the biases have none.
        """
        network = self.network
        tangent = direction
        for index, (into_weight, _) in enumerate(self._additions):
            torch.mm(tangent.t(), self._slopes[index + 1], out=into_weight)
            if index < len(self._tangents):
                torch.mm(tangent, network.layers[index][0], out=self._tangents[index])
                tangent = self._tangents[index]
                self._damp(tangent, index)
        for (weight, _), (into_weight, _) in zip(network.layer_gradients, self._additions, strict=True):
            weight.add_(into_weight)

    def _damp(self, slope: Tensor, layer: int) -> None:
        """Multiply by the activation's slope: its output has the sign of its input, so the output is enough."""
        torch.ops.aten.leaky_relu_backward.grad_input(slope, self._outputs[layer], self.network.leak, True, grad_input=slope)
