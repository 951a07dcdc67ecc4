"""Small ReLU networks with hand-written gradients, their losses and optimizers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ex3cli import adversarial as objectives


class Network(nn.Module):
    """Linear layers with leaky ReLU between them; all weights and biases lie in one flat buffer, their
    gradients in another vector.

    Parameters
    ----------
    sizes : units of each layer, the input's first.
    negative_slope : slope of the activation below zero; 0 is ReLU.
    rng : random generator of the initial weights: N(0, 2/((1 + negative_slope²)·fan-in)) (He et al. 2015),
        in the last layer N(0, 1/fan-in). Biases are zero.
    """

    flat: Tensor

    def __init__(self, sizes: Sequence[int], negative_slope: float, rng: torch.Generator) -> None:
        super().__init__()
        self.sizes, self.negative_slope = tuple(sizes), negative_slope
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        self.register_buffer("flat", torch.zeros(sum((inputs + 1) * outputs for inputs, outputs in pairs)))
        self.gradient = torch.zeros_like(self.flat)
        self.layers, self.layer_gradients = self.views(self.flat), self.views(self.gradient)
        for index, (weight, _) in enumerate(self.layers):
            gain = 1.0 if index == len(pairs) - 1 else 2 / (1 + negative_slope**2)
            weight.copy_(torch.randn(weight.shape, generator=rng) * (gain / len(weight)) ** 0.5)

    def views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's weight (inputs, outputs) and bias (outputs,), as views of a flat vector."""
        layers, start = [], 0
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            middle = start + inputs * outputs
            layers.append((flat[start:middle].view(inputs, outputs), flat[middle : middle + outputs]))
            start = middle + outputs
        return layers

    def forward(self, values: Tensor, flat: Tensor | None = None) -> Tensor:
        """(rows, inputs) → (rows, outputs) with the network's weights or those in `flat`; differentiable by
        autograd.
        """
        *hidden, (weight, bias) = self.layers if flat is None else self.views(flat)
        for inner_weight, inner_bias in hidden:
            values = F.leaky_relu(torch.addmm(inner_bias, values, inner_weight), self.negative_slope)
        return torch.addmm(bias, values, weight)


class ForwardBackward:
    """Forward and backward passes for a fixed number of rows, in preallocated buffers."""

    def __init__(self, network: Network, rows: int) -> None:
        self.network = network
        # activations of each layer
        self._outputs = [torch.empty(rows, units) for units in network.sizes[1:]]
        self._slopes = [
            torch.empty(rows, units) for units in network.sizes
        ]  # gradients at each layer's pre-activations
        self._tangents = [torch.empty(rows, units) for units in network.sizes[1:-1]]
        self._input = torch.empty(0)
        self._scratch = torch.empty_like(network.gradient)
        self._additions = network.views(self._scratch)

    def forward(self, values: Tensor) -> Tensor:
        """(rows, inputs) → (rows, outputs); the next call overwrites the returned tensor."""
        self._input = values
        network = self.network
        for (weight, bias), output in zip(network.layers, self._outputs, strict=True):
            torch.addmm(bias, values, weight, out=output)
            if output is not self._outputs[-1]:
                F.leaky_relu_(output, network.negative_slope)
            values = output
        return values

    def backward(self, slope: Tensor, *, weights: bool = True, inputs: bool = False) -> Tensor:
        """Backpropagate a gradient at the output, (rows, outputs), through the last `forward`.

        With `weights`, write the network's gradient. With `inputs`, return the gradient at the input.
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
                self._multiply_activation_slope(self._slopes[index], index - 1)
        return self._slopes[0]

    def add_penalty_gradient(self, direction: Tensor) -> None:
        """Add ∂/∂weights of Σ direction·∇ₓ(score) to the network's gradient, after `backward` from ones.

        The network is piecewise linear in x, so a forward pass of `direction` (without biases) gives the
        directional derivative. The gradient of each weight is the product of the tangent at its input and the
        backpropagated gradient at its output. The gradients of the biases are zero.
        """
        network = self.network
        tangent = direction
        for index, (into_weight, _) in enumerate(self._additions):
            torch.mm(tangent.t(), self._slopes[index + 1], out=into_weight)
            if index < len(self._tangents):
                torch.mm(tangent, network.layers[index][0], out=self._tangents[index])
                tangent = self._tangents[index]
                self._multiply_activation_slope(tangent, index)
        for (weight, _), (into_weight, _) in zip(network.layer_gradients, self._additions, strict=True):
            weight.add_(into_weight)

    def _multiply_activation_slope(self, slope: Tensor, layer: int) -> None:
        """Multiply by the activation's derivative, computed from its output, which has the input's sign."""
        torch.ops.aten.leaky_relu_backward.grad_input(
            slope, self._outputs[layer], self.network.negative_slope, True, grad_input=slope
        )


class LossGradients(Protocol):
    """Derivatives of the two losses in (rows, 1) scores, written into `out` of the same shape."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """The first half of the rows has scores of real samples, the second half scores of generated ones."""
        ...

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """The derivative for scores of generated samples."""
        ...


class LogGradients:
    """Derivatives of `NonSaturating`: −(1 − D(x))/n and D(G(z))/n; generator: −(1 − D(G(z)))/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        half = len(scores) // 2
        torch.sigmoid(scores, out=out)
        out[:half].sub_(1)
        return out.div_(half)

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        return torch.sigmoid(scores, out=out).sub_(1).div_(len(scores))


class SquareGradients:
    """Derivatives of `LeastSquares`: (D(x) − 1)/n and D(G(z))/n; generator: (D(G(z)) − 1)/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        half = len(scores) // 2
        torch.div(scores, half, out=out)
        out[:half].sub_(1 / half)
        return out

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        return torch.sub(scores, 1, out=out).div_(len(scores))


class WassersteinGradients:
    """Derivatives of `Wasserstein`: −1/n and 1/n; generator: −1/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        half = len(scores) // 2
        out[:half] = -1 / half
        out[half:] = 1 / half
        return out

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `LossGradients`."""
        return out.fill_(-1 / len(scores))


@dataclass(frozen=True)
class Loss:
    """The losses of both networks, as in the papers, and their derivatives."""

    objective: objectives.Objective
    slopes: LossGradients
    probability: bool  # whether sigmoid(score) is the discriminator's D


LOSSES = {
    "log": Loss(objectives.NonSaturating(), LogGradients(), True),
    "least-squares": Loss(objectives.LeastSquares(), SquareGradients(), False),
    "wgan-gp": Loss(objectives.Wasserstein(), WassersteinGradients(), False),
    "wgan-clip": Loss(objectives.Wasserstein(), WassersteinGradients(), False),
}


_EPSILON = 1e-8


class Update(Protocol):
    """An optimizer that updates weights in place."""

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """One step along −gradient."""
        ...


class SGD:
    """w ← w − η·g, the default of GAN Lab."""

    def __init__(self, weights: Tensor, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        weights.add_(gradient, alpha=-self.learning_rate)


class Adam:
    """Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1."""

    def __init__(self, weights: Tensor, learning_rate: float, beta1: float, beta2: float) -> None:
        self.learning_rate, self.beta1, self.beta2, self.steps = learning_rate, beta1, beta2, 0
        self.mean, self.square, self.scale = (torch.zeros_like(weights) for _ in range(3))

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        self.steps += 1
        self.mean.lerp_(gradient, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        correction = (1 - self.beta2**self.steps) ** 0.5
        torch.sqrt(self.square, out=self.scale).add_(_EPSILON * correction)
        weights.addcdiv_(
            self.mean, self.scale, value=-self.learning_rate * correction / (1 - self.beta1**self.steps)
        )


class RMSProp:
    """w ← w − η·g/√(mean of g²) (Tieleman and Hinton 2012); Arjovsky et al. 2017 use it for WGAN."""

    def __init__(self, weights: Tensor, learning_rate: float, decay: float) -> None:
        self.learning_rate, self.decay = learning_rate, decay
        self.square, self.scale = torch.zeros_like(weights), torch.empty_like(weights)

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        self.square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        torch.sqrt(self.square, out=self.scale).add_(_EPSILON)
        weights.addcdiv_(gradient, self.scale, value=-self.learning_rate)


def make_optimizer(name: str, weights: Tensor, learning_rate: float, beta1: float, beta2: float) -> Update:
    """The named optimizer for a buffer like `weights`; `beta2` is also the decay rate of RMSProp."""
    if name == "sgd":
        return SGD(weights, learning_rate)
    if name == "adam":
        return Adam(weights, learning_rate, beta1, beta2)
    return RMSProp(weights, learning_rate, beta2)
