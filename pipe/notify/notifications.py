"""NotificationSettings people how a run goes; whether they hear it never changes how it ends."""

from __future__ import annotations

import logging

from requests.adapters import BaseAdapter

from pipe.clock import SystemClock
from pipe.http.session import open_session
from pipe.notify import code_insights, slack
from pipe.notify.background import BackgroundSender
from pipe.report import Recorder
from pipe.report.json_record import as_data
from pipe.secret import Mask
from pipe.settings import Settings

log = logging.getLogger(__name__)

SECONDS = 5.0
"""What all messages of a run together may cost it."""


class Notifications:
    """Tells of `record`; `adapter` and `insights_proxy` replace the network in tests."""

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        mask: Mask,
        *,
        seconds: float = SECONDS,
        adapter: BaseAdapter | None = None,
        insights_proxy: str = code_insights.PROXY,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._mask = mask
        self._adapter = adapter
        self._insights_proxy = insights_proxy
        self._sender = BackgroundSender(seconds)

    def started(self) -> None:
        """The run is about to change something."""
        self._slack()

    def ended(self) -> None:
        """The run is over; returns when everybody was told, or the time is up."""
        self._slack()
        self._insights()
        self._sender.finish()

    def _slack(self) -> None:
        settings = self._settings
        webhook = settings.notifications.slack.reveal()
        if not webhook:
            return
        body = self._mask.data(slack.message(self._data(), settings.notifications))
        session = open_session(webhook, settings.proxies, settings.ca_cert, self._adapter)
        # Messages travel on the machine's time, whatever clock the run has.
        clock = SystemClock()
        self._sender.post("Slack", lambda: slack.deliver(webhook, body, session, clock))

    def _insights(self) -> None:
        settings = self._settings
        step, proxy = settings.step, self._insights_proxy
        if not settings.notifications.code_insights:
            return
        if not (step.workspace and step.repository and step.commit):
            log.warning("CODE_INSIGHTS: there is no commit to report on outside of Bitbucket.")
            return
        data = self._data()
        adapter = self._adapter
        self._sender.post(
            "Code Insights", lambda: code_insights.publish(data, step, proxy, adapter)
        )

    def _data(self) -> slack.Data:
        return as_data(self._recorder.record().masked(self._mask))
