"""Callbacks for training frameworks. Each framework has one module, loaded only when imported."""
