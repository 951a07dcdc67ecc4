"""The compared layers: LSTM, attention, Transformer encoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class WrittenOutLSTM(nn.Module):
    """An LSTM layer as an explicit loop: step t needs the state of step t − 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d)."""
        hidden = cell = inputs.new_zeros(inputs.shape[0], inputs.shape[2])
        outputs = []
        for step in inputs.unbind(dim=1):
            hidden, cell = self.cell(step, (hidden, cell))
            outputs.append(hidden)
        return torch.stack(outputs, dim=1)


class WrittenOutAttention(nn.Module):
    """Self-attention with its N × N matrix of weights: `need_weights` disables the fused kernel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, num_heads=1, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d)."""
        attended: Tensor = self.attention(inputs, inputs, inputs, need_weights=True)[0]
        return attended


class FusedAttention(WrittenOutAttention):
    """Self-attention with the fused kernel, which does not store the N × N matrix."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d)."""
        attended: Tensor = self.attention(inputs, inputs, inputs, need_weights=False)[0]
        return attended


class WrittenOutTransformer(nn.Module):
    """A Transformer encoder layer: self-attention and a feed-forward network of width 4d.

    Source: Vaswani et al. 2017.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = WrittenOutAttention(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d)."""
        attended = self.first_norm(inputs + self.attention(inputs))
        normed: Tensor = self.second_norm(attended + self.feed_forward(attended))
        return normed


class FusedLSTM(nn.Module):
    """One layer of nn.LSTM."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d)."""
        outputs: Tensor = self.lstm(inputs)[0]
        return outputs


class AttentionCore(nn.Module):
    """softmax(QKᵀ/√d)V, fused: the N²·d term, without projections."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, d) → (B, N, d), with the inputs as queries, keys and values."""
        heads = inputs.unsqueeze(1)
        return scaled_dot_product_attention(heads, heads, heads).squeeze(1)


def _fused_transformer(width: int) -> nn.Module:
    return nn.TransformerEncoderLayer(
        width, nhead=1, dim_feedforward=4 * width, dropout=0.0, batch_first=True
    )


WRITTEN_OUT: dict[str, Callable[[int], nn.Module]] = {
    "lstm": WrittenOutLSTM,
    "attention": WrittenOutAttention,
    "transformer": WrittenOutTransformer,
}
FUSED: dict[str, Callable[[int], nn.Module]] = {
    "lstm": FusedLSTM,
    "attention": AttentionCore,
    "transformer": _fused_transformer,
}
"""The timed layers; "attention" is the N²·d term alone."""
