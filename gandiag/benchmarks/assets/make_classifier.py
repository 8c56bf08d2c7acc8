"""Makes ``mnist_classifier.safetensors`` from MNIST.

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

from gandiag.datasets._mnist_files import Split, read_whole
from gandiag.datasets._pixels import from_bytes
from gandiag.monitoring.mnist_classifier import MnistClassifier

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"
SEED = 0
EPOCHS = 8
BATCH = 128  # images
PEAK_LR = 4e-3  # Adam under a one-cycle schedule
TURN, ZOOM, SHIFT = 0.2, 0.15, 0.14  # at most: radians, share of the side, 2 of 14 half-pixels
NOISE = 0.1  # sd at most; samples of a GAN are a bit off, so the images are too


def main(root: str, folder: Path = FOLDER) -> None:
    """Train, save into `folder`, and say how well it does on the test split."""
    torch.set_num_threads(1)  # the order of sums, and so the weights, depend on it
    torch.manual_seed(SEED)
    training, test = read_whole(Path(root).expanduser(), download=False)
    network = MnistClassifier()
    train(network, training)
    reached = accuracy(network, test)
    path = folder / "mnist_classifier.safetensors"
    # one entry only: safetensors writes several in an order that changes from run to run
    path.write_bytes(save(network.state_dict(), {"accuracy": f"{reached:.4f}"}))
    print(f"accuracy {reached:.4f}; {path.name}: {path.stat().st_size:,} bytes")


def train(network: nn.Module, split: Split) -> None:
    """Fit `network` to slightly distorted images of a split."""
    images, labels = from_bytes(split.images).unsqueeze(1), split.labels
    batches = len(images) // BATCH  # an epoch
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, EPOCHS * batches)
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(images))[: batches * BATCH].view(-1, BATCH):
            loss = cross_entropy(network(distorted(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: last loss {loss.item():.4f}")


def distorted(images: Tensor) -> Tensor:
    """Turn, zoom and shift each image by its own small amount, and add noise."""
    count = len(images)
    turn = TURN * (2 * torch.rand(count) - 1)
    zoom = 1 + ZOOM * (2 * torch.rand(count) - 1)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = zoom * turn.cos()
    maps[:, 1, 0] = zoom * turn.sin()
    maps[:, 0, 1] = -maps[:, 1, 0]
    maps[:, :, 2] = SHIFT * (2 * torch.rand(count, 2) - 1)
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    noise = NOISE * torch.rand(count, 1, 1, 1) * torch.randn_like(moved)
    return (moved + noise).clamp(-1, 1)


def accuracy(network: nn.Module, split: Split) -> float:
    """Share of a split's images whose largest logit is at their label."""
    images = from_bytes(split.images).unsqueeze(1)
    with torch.no_grad():
        answers = torch.cat([network(part).argmax(1) for part in torch.split(images, 1000)])
    return (answers == split.labels).double().mean().item()


if __name__ == "__main__":
    main(sys.argv[1])
