"""``gandiag.watching``: attaches to networks that a function creates by itself."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from gandiag.attachment.attach import attach
from gandiag.attachment.watch_handle import Attachment
from gandiag.monitoring.snapshot import NetworkName
from gandiag.plugins.errors import BadInput, warn_user

#: Which network it is: the name of its class, or a function that recognises it.
Choice: TypeAlias = "str | Callable[[nn.Module], bool]"

# Parts of the names that classes of GANs have, in lower case.
USUAL_NAMES: dict[NetworkName, tuple[str, ...]] = {
    "generator": ("generator",),
    "discriminator": ("discriminator", "critic"),
}


class Watching:
    """Waits in a ``with`` statement until networks are trained, and monitors them from then on.

    It is for libraries that create the networks inside a function, such as ``CTGAN().fit(table)``.

    Attributes:
        watch: the attachment; None until both networks have been stepped.

    Args:
        select: by ``generator`` and ``discriminator``, the name of the network's class, or a
            function that gets a module and returns whether this is the network. None: the class
            whose name contains "generator", and "discriminator" or "critic".
        options: arguments of `gandiag.attach`, such as ``folder`` and ``real``.

    Raises:
        BadInput: `select` lacks one of the two networks.
    """

    def __init__(self, select: Mapping[NetworkName, Choice] | None = None, **options: Any) -> None:
        if select is not None and set(select) != set(USUAL_NAMES):
            raise BadInput("watching: select", "needs the keys generator and discriminator")
        self.watch: Attachment | None = None
        self._select, self._options = select, options
        self._handles: list[RemovableHandle] = []
        self._networks: dict[NetworkName, weakref.ref[nn.Module]] = {}
        self._optimizers: dict[NetworkName, weakref.ref[Optimizer]] = {}
        self._seen: set[str] = set()  # names of the classes that were called, for the warning

    def __enter__(self) -> Watching:
        """Begin to wait."""
        self._handles = [
            register_module_forward_hook(self._on_call),
            register_optimizer_step_pre_hook(self._before_step),
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Detach; warn if the networks were never found."""
        self._stop_waiting()
        if self.watch is not None:
            self.watch.detach()
        elif error is None:
            missing = " and ".join(name for name in USUAL_NAMES if name not in self._optimizers)
            warn_user(
                f"gandiag has seen no {missing or 'pair of networks'} that is trained; the modules "
                f"called are {', '.join(sorted(self._seen)) or 'none'}. Pass watching "
                'select={"generator": "...", "discriminator": "..."} with the names of their '
                "classes."
            )

    def _on_call(self, module: nn.Module, _: Any, __: Any) -> None:
        """A module was called: remember it if it is one of the networks."""
        try:
            self._seen.add(type(module).__name__)
            for name in USUAL_NAMES:
                if name not in self._networks and self._is_chosen(name, module):
                    self._networks[name] = weakref.ref(module)
        except Exception as error:  # the function of the user
            self._give_up(error)

    def _is_chosen(self, name: NetworkName, module: nn.Module) -> bool:
        own_name = type(module).__name__
        if self._select is None:
            return any(part in own_name.lower() for part in USUAL_NAMES[name])
        choice = self._select[name]
        return own_name == choice if isinstance(choice, str) else bool(choice(module))

    def _before_step(self, optimizer: Optimizer, _: Any, __: Any) -> None:
        """An optimizer is about to step: attach once both networks have one."""
        try:
            stepped = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
            for name, reference in self._networks.items():
                network = reference()
                if network is not None and stepped & set(map(id, network.parameters())):
                    self._optimizers.setdefault(name, weakref.ref(optimizer))
            if len(self._optimizers) == len(USUAL_NAMES):
                self._attach()
        except Exception as error:  # nothing may end the user's training
            self._give_up(error)

    def _attach(self) -> None:
        self._stop_waiting()
        generator, discriminator = self._networks["generator"](), self._networks["discriminator"]()
        of_generator = self._optimizers["generator"]()
        of_discriminator = self._optimizers["discriminator"]()
        if generator is None or discriminator is None:
            return
        if of_generator is not None and of_discriminator is not None:
            self.watch = attach(
                generator, discriminator, of_generator, of_discriminator, **self._options
            )

    def _stop_waiting(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _give_up(self, error: Exception) -> None:
        self._stop_waiting()
        warn_user(f"gandiag does not watch: {type(error).__name__}: {error}")


#: The name that users call; lower case, as it is used like a function in a ``with`` statement.
watching = Watching
