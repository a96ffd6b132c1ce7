"""Notify people of the start and end of a run; delivery never changes how the run ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from requests.adapters import BaseAdapter

from pipe.clock import SystemClock
from pipe.hosts import STEP_PROXY
from pipe.http.session import open_session
from pipe.notify import SECONDS, code_insights, delivery, slack, webhook
from pipe.notify.background import BackgroundSender
from pipe.report import Recorder, RunRecord
from pipe.secret import Mask
from pipe.settings import Settings

log = logging.getLogger(__name__)


class Notifications:
    """Sends what `recorder` holds; `adapter` and `insights_proxy` replace the network in tests."""

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        mask: Mask,
        *,
        seconds: float = SECONDS,
        adapter: BaseAdapter | None = None,
        insights_proxy: str = STEP_PROXY,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._mask = mask
        self._adapter = adapter
        self._insights_proxy = insights_proxy
        self._sender = BackgroundSender(seconds)

    def started(self) -> None:
        """Announce that the run is about to change something."""
        self._slack()

    def ended(self) -> None:
        """Report the end of the run; returns when all messages are delivered or the time is up."""
        self._slack()
        self._webhook()
        self._insights()
        self._sender.finish()

    def _slack(self) -> None:
        settings = self._settings
        address = settings.notifications.slack.reveal()
        if not address:
            return
        body = self._mask.data(slack.message(self._record(), settings.notifications))
        self._post("Slack", address, body, "SLACK_WEBHOOK")

    def _webhook(self) -> None:
        address = self._settings.notifications.webhook.reveal()
        if address:
            self._post("WEBHOOK", address, webhook.body(address, self._record()), "WEBHOOK")

    def _post(self, receiver: str, address: str, body: Mapping[str, Any], setting: str) -> None:
        settings = self._settings
        session = open_session(address, settings.proxies, settings.ca_cert, self._adapter)
        # Real requests need real time, even where tests give the run another clock.
        clock = SystemClock()
        self._sender.post(receiver, lambda: delivery.post(address, body, session, clock, setting))

    def _insights(self) -> None:
        settings = self._settings
        step = settings.step
        if not settings.notifications.code_insights:
            return
        if not (step.workspace and step.repository and step.commit):
            log.warning("CODE_INSIGHTS: outside of Bitbucket there is no commit to report on.")
            return
        record, proxy, adapter = self._record(), self._insights_proxy, self._adapter
        self._sender.post(
            "Code Insights", lambda: code_insights.publish(record, step, proxy, adapter)
        )

    def _record(self) -> RunRecord:
        return self._recorder.record().masked(self._mask)
