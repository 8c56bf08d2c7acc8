"""``gandiag mcp``: a real client talks to the server over stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from gandiag.cli.agent_server import build_tools
from gandiag.plugins.errors import BadInput

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / "recorded_runs" / "mode_collapse"


def test_client_diagnoses_a_run(tmp_path: Path) -> None:
    """A client lists the tools and the runs, and reads verdict, evidence and advice of a run."""
    mcp = pytest.importorskip("mcp")
    shutil.copytree(RUN, tmp_path / "run")
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "gandiag", "mcp", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    async def talk() -> dict[str, Any]:
        async with mcp.Client(server) as client:
            tools = await client.list_tools()
            found: dict[str, Any] = {"tools": {tool.name: tool for tool in tools.tools}}
            for name, arguments in (
                ("list_runs", {}),
                ("diagnose", {"path": "run"}),
                ("evidence", {"path": "run", "condition": "mode_collapse"}),
                ("advice", {"path": "run"}),
            ):
                answer = await client.call_tool(name, arguments)
                assert not answer.is_error, answer
                found[name] = json.dumps(answer.structured_content)
            refused = await client.call_tool("diagnose", {"path": ".."})
            assert refused.is_error
            return found

    found = asyncio.run(talk())
    assert all(tool.description for tool in found["tools"].values())
    assert '"run"' in found["list_runs"]
    assert '"since_step"' in found["diagnose"]
    assert "mode collapse" in found["diagnose"]
    assert '"threshold"' in found["evidence"]


@pytest.mark.parametrize("path", ["..", "/", "link"])
def test_nothing_outside_is_read(path: str, tmp_path: Path) -> None:
    """A path, or a link, that leads outside of the served folder is refused."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(RUN)
    tools = {tool.__name__: tool for tool in build_tools(inside)}
    with pytest.raises(BadInput, match="outside"):
        tools["diagnose"](path)
