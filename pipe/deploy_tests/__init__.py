"""The user's tests: commands, commands in an image, and probes of an address."""

from pipe.deploy_tests.model import Command, CommandResult, DeployTestResult, Runner
from pipe.deploy_tests.runner import StepRunner
from pipe.deploy_tests.suite import DeployTests

__all__ = ["Command", "CommandResult", "DeployTestResult", "DeployTests", "Runner", "StepRunner"]
