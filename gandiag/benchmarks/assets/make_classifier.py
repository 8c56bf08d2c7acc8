"""Trains the digit classifier of the probes, ``mnist_classifier.safetensors``, on MNIST.

Usage: ``python -m gandiag.benchmarks.assets.make_classifier ROOT``.
ROOT is the folder of ``torchvision.datasets.MNIST``. Takes about four minutes on one CPU core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from gandiag.datasets._mnist_files import MnistSplit, read_full_mnist
from gandiag.datasets._pixels import scale_pixels
from gandiag.monitoring.mnist_classifier import MnistClassifier

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"
SEED = 0
EPOCHS = 8
BATCH = 128  # Images.
PEAK_LR = 4e-3  # Largest learning rate of Adam under a one-cycle schedule.
# Largest distortion of an image: rotation in radians, zoom as a share, and shift in units of half
# the side of 28 pixels (0.14 is 2 pixels).
ROTATION, ZOOM, SHIFT = 0.2, 0.15, 0.14
# Largest standard deviation of the noise on an image, whose pixels are in [-1, 1]. Generated digits
# are noisy and distorted, so the classifier learns from such images.
NOISE = 0.1


def main(root: str, folder: Path = FOLDER) -> None:
    """Train the classifier, save it in `folder`, and print its accuracy on the test split.

    Args:
        root: folder of the MNIST files.
        folder: folder of the new file.
    """
    # The order of floating-point sums, and so the weights, depend on the number of threads.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    training, test = read_full_mnist(Path(root).expanduser(), download=False)
    network = MnistClassifier()
    train(network, training)
    test_accuracy = measure_accuracy(network, test)
    path = folder / "mnist_classifier.safetensors"
    # One entry only: safetensors writes several entries in an order that differs between runs.
    path.write_bytes(save(network.state_dict(), {"accuracy": f"{test_accuracy:.4f}"}))
    print(f"accuracy {test_accuracy:.4f}; {path.name}: {path.stat().st_size:,} bytes")


def train(network: nn.Module, split: MnistSplit) -> None:
    """Train `network` on slightly distorted images of a split."""
    images, labels = scale_pixels(split.images).unsqueeze(1), split.labels
    batches = len(images) // BATCH
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, EPOCHS * batches)
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(images))[: batches * BATCH].view(-1, BATCH):
            loss = cross_entropy(network(distort(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: last loss {loss.item():.4f}")


def distort(images: Tensor) -> Tensor:
    """Rotate, zoom and shift each image ``(B, 1, H, W)`` by its own small amount, and add noise."""
    count = len(images)
    angle = ROTATION * (2 * torch.rand(count) - 1)
    zoom = 1 + ZOOM * (2 * torch.rand(count) - 1)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = zoom * angle.cos()
    maps[:, 1, 0] = zoom * angle.sin()
    maps[:, 0, 1] = -maps[:, 1, 0]
    maps[:, :, 2] = SHIFT * (2 * torch.rand(count, 2) - 1)
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    # Zeros beyond the border would be grey, as pixels are in [-1, 1]; its own pixels are black.
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    noise = NOISE * torch.rand(count, 1, 1, 1) * torch.randn_like(moved)
    return (moved + noise).clamp(-1, 1)


def measure_accuracy(network: nn.Module, split: MnistSplit) -> float:
    """Measure the share of a split's images that the network classifies right, in [0, 1]."""
    images = scale_pixels(split.images).unsqueeze(1)
    with torch.no_grad():
        # In parts, so that the activations of 60,000 images need not fit into memory.
        predictions = torch.cat([network(part).argmax(1) for part in torch.split(images, 1000)])
    return (predictions == split.labels).double().mean().item()


if __name__ == "__main__":
    main(sys.argv[1])
