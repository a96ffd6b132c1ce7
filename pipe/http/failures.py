"""Responses outside the limits; request errors, so that they are explained like the others."""

import requests


class BodyTooLarge(requests.RequestException):
    """A response above the size limit."""


class ResponseTooSlow(requests.RequestException):
    """A response that is not complete within the time limit."""
