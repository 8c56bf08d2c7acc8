"""``gandiag mcp``: lets a coding agent read runs and diagnoses over the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

INSTRUCTIONS = (
    "gandiag diagnoses the training of GANs. Call list_runs first, then diagnose with the path of "
    "a run or of a log of losses. Statuses are present, absent and inconclusive; an inconclusive "
    "condition is not an absent one. evidence returns measured numbers with their thresholds, and "
    "advice returns changes, the most important first. Nothing here trains or writes."
)


@click.command("mcp")
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default="."
)
def mcp(folder: Path) -> None:
    """Serve the runs and logs below FOLDER to a coding agent, over stdin and stdout.

    The agent's settings name this command. It can list runs, diagnose runs and logs, and read
    evidence, advice and comparisons. It cannot train, write, or read files outside of FOLDER.

    \b
    gandiag mcp reports
    {"mcpServers": {"gandiag": {"command": "gandiag", "args": ["mcp", "reports"]}}}

    The command needs the extra mcp: pip install "gandiag[mcp]".

    Exit status: 0 done, 2 bad input, 130 interrupted.
    """
    from gandiag.plugins.errors import BadInput

    try:
        from mcp.server import MCPServer
    except ImportError as error:
        raise BadInput("gandiag mcp", 'not installed; pip install "gandiag[mcp]"') from error
    server = MCPServer("gandiag", instructions=INSTRUCTIONS, log_level="WARNING")
    for tool in build_tools(folder.resolve()):
        server.tool()(tool)
    server.run("stdio")


def build_tools(root: Path) -> list[Callable[..., Any]]:
    """Return the functions that an agent can call; each reads only files below `root`."""

    def list_runs() -> list[dict[str, Any]]:
        """List all runs: path, phase, last generator step, and verdict if there is one."""
        from gandiag.reports.server.runs import list_runs

        return [
            {"path": run.name, "phase": run.phase, "step": run.step, "verdict": run.verdict}
            for run in list_runs(root)
        ]

    def diagnose(path: str) -> dict[str, Any]:
        """Diagnose a run or a log: verdict, status of each condition, and its summary."""
        report = _open_report(root, path)
        return {
            "verdict": report.verdict,
            "conditions": [
                {
                    "condition": d.condition,
                    "status": d.status,
                    "type": d.kind,
                    "since_step": d.onset,
                    "cause": d.cause,
                    "summary": d.summary,
                }
                for d in report.diagnoses
                # A check of the loop's code that found nothing tells an agent nothing.
                if d.about != "loop" or d.status == "present"
            ],
        }

    def evidence(path: str, condition: str) -> list[dict[str, Any]]:
        """Return the measured numbers behind one condition, each with its threshold."""
        from gandiag.plugins.errors import BadInput, suggest_nearest

        found = {d.condition: d for d in _open_report(root, path).diagnoses}
        if condition not in found:
            raise BadInput(condition, f"no such condition; {suggest_nearest(condition, found)}")
        evidence: list[dict[str, Any]] = found[condition].as_json()["evidence"]
        return evidence

    def advice(path: str) -> list[dict[str, str]]:
        """Return what to change, the most important first."""
        return [
            {"for": fix.condition, "fix": fix.fix, "change": fix.advice, "diff": fix.diff}
            for fix in _open_report(root, path).suggested_fixes
        ]

    def comparison(path: str) -> dict[str, Any]:
        """Return the results of a comparison: each fix with its verdict and rates."""
        from gandiag.records.json_input import read_json_file

        data: dict[str, Any] = read_json_file(_find_below(root, path) / "comparison.json")
        return {
            "scenario": data["scenario"],
            "results": [
                {"name": arm["arm"], "verdict": arm["verdict"], "rates": arm["rates"]}
                for arm in data["arms"]
            ],
        }

    return [list_runs, diagnose, evidence, advice, comparison]


def _open_report(root: Path, path: str) -> Any:
    from gandiag.reports.saved_runs import reopen_report

    return reopen_report(_find_below(root, path))


def _find_below(root: Path, path: str) -> Path:
    """Return the path if it lies below `root`, also after links have been followed."""
    from gandiag.plugins.errors import BadInput

    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise BadInput(path, "outside of the folder that gandiag mcp serves")
    return found
