"""Tests of the private interfaces of PyTorch that gandiag uses; they hold for torch 2.8 to 2.15."""

from __future__ import annotations

import ast
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

import gandiag
from gandiag.monitoring import torch_internals

PACKAGE = Path(gandiag.__file__).parent
# Underscored names that are public, as the documentation of NamedTuple lists them.
PUBLIC = {"_asdict", "_replace", "_fields", "_make"}


def test_torch_is_supported() -> None:
    """The installed version is at least 2.8, the oldest version that has all these interfaces."""
    assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 8)


def test_tensor_norms_are_euclidean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each norm is that of its tensor, of any shape, with the kernel and without it."""
    tensors = [torch.randn(shape) for shape in ((3, 4), (7,), (2, 3, 5), ())]
    expected = [tensor.square().sum().sqrt() for tensor in tensors]
    torch.testing.assert_close(torch_internals.tensor_norms(tensors), expected)
    monkeypatch.delattr(torch, "_foreach_norm")
    torch.testing.assert_close(torch_internals.tensor_norms(tensors), expected)


def test_later_backward_passes_have_larger_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All hooks of one backward pass find the same number, and those of the next a larger one."""
    numbers: list[int] = []

    def record(gradient: Tensor) -> None:
        numbers.append(torch_internals.current_backward_pass())

    for _ in range(2):
        leaves = [torch.ones(2, requires_grad=True) for _ in range(2)]
        for leaf in leaves:
            leaf.register_hook(record)
        torch.stack(leaves).sum().backward()  # type: ignore[no-untyped-call]
    assert numbers[0] == numbers[1] < numbers[2] == numbers[3]
    monkeypatch.delattr(torch._C, "_current_graph_task_id")
    assert torch_internals.current_backward_pass() == -1


def test_only_backward_adds_to_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of ``backward`` adds to the gradients in its graph, `torch.autograd.grad` to none."""
    layer, found = nn.Linear(2, 1), list[tuple[bool, int]]()
    node = torch_internals.gradient_accumulator(layer.weight)

    def record(_: Tensor) -> None:
        leaves = torch_internals.current_graph_leaves(10)
        near = sum(map(torch_internals.adds_to_gradient, leaves))
        found.append((torch_internals.adds_to_gradient(node), near))

    def compute() -> Tensor:
        scores: Tensor = layer(torch.ones(3, 2))
        scores.register_hook(record)  # type: ignore[no-untyped-call]
        return scores.sum()

    compute().backward()  # type: ignore[no-untyped-call]
    torch.autograd.grad(compute(), layer.weight)
    torch.autograd.grad(compute(), layer.bias)
    compute().backward(inputs=[layer.weight])  # type: ignore[no-untyped-call]
    assert found == [(True, 2), (False, 0), (False, 0), (True, 1)]
    assert torch_internals.gradient_accumulator(torch.ones(1)) is None
    monkeypatch.delattr(torch._C, "_will_engine_execute_node")
    monkeypatch.delattr(torch._C, "_current_autograd_node")
    torch.autograd.grad(compute(), layer.weight)
    assert found[-1] == (True, 0)


def test_module_buffers_are_the_modules_own() -> None:
    """An entry that is put into the dictionary is the module's buffer from then on."""
    layer, mean = nn.BatchNorm1d(2), torch.ones(2)
    torch_internals.module_buffers(layer)["running_mean"] = mean
    assert layer.running_mean is mean


def test_layer_classes_include_all_public_layers() -> None:
    """Each public layer of batch normalisation and dropout is found by its base class."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    dropouts = (nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
    for norm in norms:
        assert issubclass(norm, torch_internals.batch_norm_layers()), norm
    for dropout in dropouts:
        assert issubclass(dropout, torch_internals.dropout_layers()), dropout
    assert not issubclass(nn.GroupNorm, torch_internals.batch_norm_layers())


@pytest.fixture
def process_group(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process group of this process alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in address.items():
        monkeypatch.setitem(os.environ, name, value)
    dist.init_process_group("gloo", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="torch was built without distributed")
@pytest.mark.usefixtures("process_group")
def test_default_store_keeps_values() -> None:
    """The store of the default process group stores and returns values, also as a clone."""
    store = torch_internals.default_process_store()
    store.clone().set("gandiag", "value")
    assert store.get("gandiag") == b"value"


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (None, False),
        (SimpleNamespace(counters={}), False),
        (SimpleNamespace(counters={"stats": 1}), True),
        (SimpleNamespace(), True),  # the counters are gone: assume that something was compiled
    ],
)
def test_compilation_is_counted(
    monkeypatch: pytest.MonkeyPatch, module: object, expected: bool
) -> None:
    """The answer is yes once a graph was counted, and where there are no counters."""
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", module)
    assert torch_internals.has_compiled() is expected


def test_loss_scale_is_that_of_the_calling_scaler() -> None:
    """A hook of the optimizer finds the scale of the scaler that steps it, and 1 without one."""
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    found: list[float] = []

    def record(*_: object) -> None:
        scale, remaining = torch_internals.loss_scale(optimizer)
        found.extend((float(scale), float(remaining)))

    optimizer.register_step_pre_hook(record)
    for enabled in (True, False):
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=enabled)
        scaler.scale(weight.sum()).backward()
        scaler.step(optimizer)
    optimizer.step()
    assert found == [256.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_no_other_module_uses_private_interfaces() -> None:
    """Outside this module, gandiag uses no underscored name of torch, and no stack frames."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
    own = set().union(*(defined_attributes(tree) for tree in trees.values()))
    found = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path, tree in trees.items()
        if path.name != "torch_internals.py"
        for name in private_names(tree, own)
    }
    # wandb offers a report as plain data by this method only; it is no interface of torch.
    found.discard("reports/reporters/weights_and_biases_report.py: _to_model")
    assert not found, sorted(found)


def test_private_interfaces_would_be_found() -> None:
    """The test above can fail: it finds each form in which a private name may be used."""
    source = """
from torch.nn.modules.batchnorm import _BatchNorm
from torch._dynamo.utils import counters
import torch._inductor
sys.modules["torch._functorch"]
torch._foreach_norm([])
tensor._version
getattr(scaler, "_scale")
sys._getframe(1)
self._mine
"""
    modules = {"torch._dynamo.utils", "torch._inductor", "torch._functorch"}
    attributes = {"_BatchNorm", "_foreach_norm", "_version", "_scale", "_getframe"}
    assert private_names(ast.parse(source), {"_mine", "_scale"}) == modules | attributes


def defined_attributes(tree: ast.Module) -> set[str]:
    """Names of methods and attributes that the classes of a module define."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names |= {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def private_names(tree: ast.Module, own: set[str]) -> set[str]:
    """Underscored names of other packages that a module uses.

    An underscored attribute is one of another package if no class of gandiag defines it.
    """
    attributes, named = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            named |= {str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)}
        elif isinstance(node, ast.Constant):
            named |= {node.value} if str(node.value).startswith("torch._") else set()
        elif isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("gandiag"):
            named |= {node.module or "", *(alias.name for alias in node.names)}
    attributes -= own | PUBLIC
    return {name for name in attributes | named if re.search(r"(^|\.)_[^_]", name)}
