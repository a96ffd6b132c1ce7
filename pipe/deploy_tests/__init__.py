"""Tests before and after the change: commands, commands in an image, probes of an address."""

from pipe.deploy_tests.model import Command, CommandResult, DeployTestResult, Runner
from pipe.deploy_tests.runner import StepRunner
from pipe.deploy_tests.suite import DeployTests

__all__ = ["Command", "CommandResult", "DeployTestResult", "DeployTests", "Runner", "StepRunner"]
