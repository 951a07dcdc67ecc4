"""The 5×5 layers of stride 2 with a single grey channel, computed as 3×3 layers of stride 1 over blocks of 2×2 pixels.

The library is slow at a stride of 2 where one side has one channel: on a CPU the image's gradient took 2.6 of the 52 ms of an
iteration's convolutions, the last layer of the generator 2 × 2.8 ms. Each 2×2 block of pixels as four channels makes the same
sums a dense 3×3 convolution, some two to four times as fast (Shi et al. 2016, arXiv 1609.07009, derive the transposed one).
The parameters stay those of the 5×5 layer, in its shape. Other devices keep the library's own layer.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class DownFromPixels(nn.Conv2d):
    """`nn.Conv2d(channels_in, channels_out, 5, stride=2, padding=2)` for images of even height and width."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, stride=2, padding=2)

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels_in, 2h, 2w) → (B, channels_out, h, w)."""
        if images.device.type != "cpu":
            return super().forward(images)
        return F.conv2d(F.pixel_unshuffle(images, 2), self._kernel(), self.bias, padding=1)

    def _kernel(self) -> Tensor:
        """(out, in·4, 3, 3): the sixth row and column of the 5×5 kernel are zero; each 2×2 of its 6×6 goes to four channels."""
        return F.pixel_unshuffle(F.pad(self.weight, (0, 1, 0, 1)), 2)


class UpToPixels(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1)`."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, channels_in, h, w) → (B, channels_out, 2h, 2w)."""
        if maps.device.type != "cpu" or output_size is not None:
            return super().forward(maps, output_size)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(maps, self._kernel(), bias, padding=1), 2)

    def _kernel(self) -> Tensor:
        """(out·4, in, 3, 3): as above, turned round, since the transposed layer reads its kernel from the other end."""
        four = F.pixel_unshuffle(F.pad(self.weight, (0, 1, 0, 1)), 2)  # (in, out·4, 3, 3)
        return four.transpose(0, 1).flip(2, 3)
