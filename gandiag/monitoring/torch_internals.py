"""The only module that uses interfaces of PyTorch (and CPython) that are not public.

A release of PyTorch may rename or remove a private interface without notice. Each function here
names the interface, why gandiag needs it, and what happens where it is gone. All of them exist in
torch 2.8 to 2.15; tests/monitoring/test_torch_internals.py checks those of the installed version.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.autograd.graph import Node
from torch.optim import Optimizer

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

# Values between which bounded functions lie, and functions that only move or convert values, by the
# names of autograd's nodes.
_BOUNDS = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0)}
_MOVES = frozenset(
    {
        *("View", "UnsafeView", "ReshapeAlias", "Alias", "Clone", "ToCopy", "Squeeze", "Unsqueeze"),
        *("Permute", "Transpose", "Expand", "Slice", "Select"),
    }
)
# Stack frames to search for a gradient scaler: its `step` is 5 frames above a hook of the
# optimizer, and wrappers such as those of Accelerate or Lightning add a few.
_SCALER_FRAMES = 12
# Nodes of autograd's graph that add the terms of a loss, and nodes that multiply a sum.
_SUMS = frozenset({"Add", "Sub", "Rsub"})
_FACTORS = frozenset({"Mul", "Div", "Neg"})


def tensor_norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Euclidean norm of each tensor, 0-dim, computed by one kernel for all of them.

    It relies on ``torch._foreach_norm``, which PyTorch's own gradient clipping uses. Where it is
    gone, a loop replaces it: 1.2 times as long for 50 tensors of 64 x 64 on a CPU, and one kernel
    launch a tensor on a GPU.

    >>> tensor_norms([torch.tensor([3.0, 4.0])])
    [tensor(5.)]
    """
    foreach_norm = getattr(torch, "_foreach_norm", None)
    if foreach_norm is None:
        return [torch.linalg.vector_norm(tensor) for tensor in tensors]
    return list(foreach_norm(tensors))


def current_backward_pass() -> int:
    """Number of the backward pass that is running in this thread; later passes have larger ones.

    It relies on ``torch._C._current_graph_task_id``. Without it all passes have the number -1, and
    the tracker no longer detects that G's backward pass added to D's gradients.
    """
    task_id = getattr(torch._C, "_current_graph_task_id", None)
    return -1 if task_id is None else int(task_id())


def find_output_bounds(output: Tensor) -> tuple[float, float] | None:
    """The bounds of the function that computed a tensor, where it is bounded; else None.

    Only functions that move or convert values may follow the bounded one. It relies on the names of
    autograd's nodes. Where they change, no output counts as bounded.

    >>> find_output_bounds(torch.zeros(2, requires_grad=True).tanh().view(1, 2))
    (-1.0, 1.0)
    """
    node = output.grad_fn
    while node is not None:
        name = node.name().removesuffix("0").removesuffix("Backward")
        if name in _BOUNDS:
            return _BOUNDS[name]
        node = node.next_functions[0][0] if name in _MOVES else None
    return None


def gradient_accumulator(parameter: Tensor) -> Node | None:
    """The node of autograd's graph that adds to ``parameter.grad``; None if it needs no gradient.

    The node is found by ``Node.next_functions``: `torch.autograd.graph.get_gradient_edge` gives
    another object in some releases. A hook on the node lives as long as the node is referenced.
    """
    if not parameter.requires_grad:
        return None
    with torch.enable_grad():
        view = parameter.view_as(parameter).grad_fn
    node = None if view is None else view.next_functions[0][0]
    return node if isinstance(node, Node) else None


def adds_to_gradient(node: Node | None) -> bool:
    """Whether the backward pass that is running adds to the ``.grad`` behind this node.

    To be called from a hook during the pass. ``loss.backward()`` adds to the gradients of all
    parameters in its graph; ``torch.autograd.grad`` adds to none.

    It relies on ``torch._C._will_engine_execute_node``, which PyTorch's own hooks for several
    tensors use. Without it every pass counts as one that adds.
    """
    will_execute = getattr(torch._C, "_will_engine_execute_node", None)
    if node is None or will_execute is None:
        return node is not None
    try:
        return bool(will_execute(node))
    except RuntimeError:  # torch.autograd.grad returns the gradient of this very parameter
        return False


def current_graph_leaves(limit: int) -> list[Node]:
    """Nodes that add to a ``.grad``, among the nearest `limit` nodes behind the current node.

    To be called from a hook of a tensor: the current node is the one that computed the tensor.

    It relies on ``torch._C._current_autograd_node``. Without it the list is empty.
    """
    current_node = getattr(torch._C, "_current_autograd_node", None)
    waiting: list[Any] = [] if current_node is None else [current_node()]
    leaves: list[Node] = []
    for _ in range(limit):
        if not waiting:
            break
        node = waiting.pop(0)
        if node is None:
            continue
        if type(node).__name__ == "AccumulateGrad":
            leaves.append(node)
        waiting += [following for following, _ in node.next_functions]
    return leaves


def module_buffers(module: nn.Module) -> dict[str, Tensor | None]:
    """The dictionary in which a module stores its own buffers; changing it changes the module.

    It relies on ``Module._buffers``. The public ``named_buffers`` gives copies of the entries, so a
    buffer that a forward pass replaced or removed could not be restored as it was. Without the
    attribute this raises AttributeError, and the probe that evaluates the network is
    switched off.
    """
    return module._buffers


def batch_norm_layers() -> tuple[type[nn.Module], ...]:
    """Base classes of batch normalisation layers, those of third parties included.

    It relies on ``torch.nn.modules.batchnorm._BatchNorm``. Where the class is gone, the result is
    PyTorch's public layers.
    """
    try:
        from torch.nn.modules.batchnorm import _BatchNorm
    except ImportError:
        return (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return (_BatchNorm,)


def dropout_layers() -> tuple[type[nn.Module], ...]:
    """Base classes of dropout layers, those of third parties included.

    It relies on ``torch.nn.modules.dropout._DropoutNd``. Where the class is gone, the result is
    PyTorch's public layers.
    """
    try:
        from torch.nn.modules.dropout import _DropoutNd
    except ImportError:
        plain = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
        return (*plain, nn.AlphaDropout, nn.FeatureAlphaDropout)
    return (_DropoutNd,)


def default_process_store() -> Store:
    """The key-value store through which the processes of a distributed training found one another.

    It relies on ``torch.distributed.distributed_c10d._get_default_store``. The public interface has
    no way to it, and a store of gandiag's own would need an address and a port from the user.

    Raises:
        AttributeError: the function is gone. Then only rank 0 is watched (`Ranks.current`).
    """
    from torch.distributed import distributed_c10d  # not in every build of torch

    return distributed_c10d._get_default_store()


def has_compiled() -> bool:
    """Whether `torch.compile` has compiled anything so far.

    A graph compiled from a network without hooks ignores hooks that are registered later, so hooks
    must not be taken off a network once something was compiled.

    It relies on ``torch._dynamo.utils.counters``. Where the module is loaded and the counters are
    gone, the answer is True: then hooks stay where they are, which costs microseconds a step.
    """
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and bool(getattr(dynamo, "counters", True))


def find_differentiated_tensors() -> tuple[Tensor, ...]:
    """The tensors from which the backward pass that is running began, such as the loss.

    To be called from a hook of a tensor: it learns the gradient, but not the loss. The loss is
    found on the stack of this thread, or on that of another one, as the passes of a GPU run in
    threads of their own.

    It relies on ``sys._current_frames`` and on the argument ``tensors`` of
    `torch.autograd.backward`. Where one of these is gone, the result is empty, and gradient
    penalties without a graph are not detected.
    """
    current_frames = getattr(sys, "_current_frames", None)
    if current_frames is None:
        return ()
    frames: dict[int, FrameType] = current_frames()
    # Only the first frame found counts: that of this thread, else that of a waiting thread.
    for start in (frames.pop(threading.get_ident(), None), *frames.values()):
        frame = start
        while frame is not None:
            if frame.f_code is torch.autograd.backward.__code__:
                found = frame.f_locals.get("tensors", ())
                several = (found,) if isinstance(found, Tensor) else found
                return tuple(each for each in several if isinstance(each, Tensor))
            frame = frame.f_back
    return ()


def has_constant_term(loss: Tensor) -> bool:
    """Whether a constant is added to, or subtracted from, the terms of a loss.

    A loss that is summed up from the number 0 has a constant term as well. So a constant that
    stands behind a single term does not count.

    It relies on the names and edges of autograd's graph (``Node.name``, ``Node.next_functions``).
    Where PyTorch names the nodes differently, the answer is False.
    """
    nodes = [loss.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is None:
            continue
        kind = node.name().partition("Backward")[0]
        inner = [each for each, _ in node.next_functions]
        if kind in _SUMS and None in inner:
            if inner[0] is None or any(_is_sum(each) for each in inner):
                return True
        elif kind in _SUMS or kind in _FACTORS:
            nodes += inner
    return False


def _is_sum(node: Any) -> bool:
    """Whether a node of a graph adds several terms, with or without a common factor."""
    while node is not None and node.name().partition("Backward")[0] in _FACTORS:
        node = next((each for each, _ in node.next_functions if each is not None), None)
    return node is not None and node.name().partition("Backward")[0] in _SUMS


def loss_scale(optimizer: Optimizer) -> tuple[float | Tensor, float | Tensor]:
    """Factors of a gradient scaler: in the loss, and still in ``.grad``; both 1 without a scaler.

    To be called from a hook of the optimizer's step. `torch.amp.GradScaler.step` calls this step
    itself, so the scaler is found on the stack, and the user need not pass it.

    It relies on ``sys._getframe`` and ``GradScaler._scale``, and on the attribute ``grad_scale``
    that the scaler sets on fused optimizers, which unscale the gradients themselves. Where one of
    these is gone, the result is 1: gradient norms are then those of the scaled loss.
    """
    scaler = _find_calling_scaler()
    scale = getattr(scaler, "_scale", None)  # None for a scaler that is disabled
    if scale is None:
        return 1.0, 1.0
    remaining = getattr(optimizer, "grad_scale", None)
    return scale, 1.0 if remaining is None else remaining


def _find_calling_scaler() -> GradScaler | None:
    """The scaler whose ``step`` method is running, None without one."""
    get_frame = getattr(sys, "_getframe", None)  # not in every implementation of Python
    frame: FrameType | None = None if get_frame is None else get_frame(1)
    for _ in range(_SCALER_FRAMES):
        if frame is None:
            return None
        # The code object identifies the method. Locals of other frames are never read.
        if frame.f_code is GradScaler.step.__code__:
            scaler = frame.f_locals["self"]
            return scaler if isinstance(scaler, GradScaler) else None
        frame = frame.f_back
    return None


def hide_hooks_from_scripts(is_hidden: Callable[[Any], bool]) -> None:
    """Let `torch.jit.script` compile networks as if certain forward hooks were not there.

    A script contains the hooks of a network, and fails for those that are no plain functions. It
    relies on ``torch.jit._recursive.create_script_module``, which `torch.jit.script` calls. Where
    the function is gone, a network cannot be compiled while hooks are registered.

    Args:
        is_hidden: whether a hook is to be left out; on copies of networks as well.
    """
    original = getattr(torch.jit._recursive, "create_script_module", None)
    if original is None or hasattr(original, "hides_hooks"):
        return

    @functools.wraps(original)
    def create(network: nn.Module, *args: Any, **kwargs: Any) -> Any:
        tables = [module._forward_hooks for module in network.modules()]
        hidden = [{key: h for key, h in table.items() if is_hidden(h)} for table in tables]
        for table, hooks in zip(tables, hidden, strict=True):
            for key in hooks:
                del table[key]
        try:
            return original(network, *args, **kwargs)
        finally:
            for table, hooks in zip(tables, hidden, strict=True):
                table.update(hooks)

    vars(create)["hides_hooks"] = True  # so that a second call does not wrap it again
    torch.jit._recursive.create_script_module = create  # type: ignore[assignment]


def is_transforming() -> bool:
    """Whether a transform of functions is running, such as `torch.vmap` or `torch.func.grad`.

    A transform calls a network with tensors of its own, which are no samples of the loop. It relies
    on ``torch._C._functorch.maybe_current_level``. Where it is gone, gandiag may stop monitoring at
    the first transform of a network.
    """
    functorch = getattr(torch._C, "_functorch", None)
    current_level = getattr(functorch, "maybe_current_level", None)
    return current_level is not None and current_level() is not None


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has values: those with which `torch.export` traces a network have none."""
    try:
        tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return False
    return True
