"""The address of the step on Bitbucket."""

from __future__ import annotations

from urllib.parse import quote

from pipe.settings import Step


def step_page(step: Step) -> str:
    """Return the step's page, the pipeline's if the step is unknown, empty in a local run."""
    if not (step.workspace and step.repository and step.build_number):
        return ""
    parts = (step.workspace, step.repository, "pipelines", "results", step.build_number)
    page = "https://bitbucket.org/" + "/".join(quote(part, safe="") for part in parts)
    return f"{page}/steps/{quote(step.step, safe='')}" if step.step else page
