"""Flask as the sandbox needs it: no sessions, and responses that are not sent to be read again."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.wrappers import Response


class _NoSessions(SessionInterface):
    """One session that stays empty; Flask would make one for every request."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return the empty session."""
        del app, request
        return self._empty


class Web(Flask):
    """An application for the thousands of requests that a test makes."""

    session_interface = _NoSessions()

    def answer(self, environ: dict[str, Any]) -> Response:
        """Return the complete response to one request."""
        context = self.request_context(environ)
        context.push()
        try:
            response: Response = self.full_dispatch_request()
        except Exception as error:  # noqa: BLE001 - as `wsgi_app` does
            response = self.handle_exception(error)
        finally:
            context.pop(None)
        response.get_data()
        return response
