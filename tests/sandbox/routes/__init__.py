"""The routes of the portal, one module for each resource."""

V2 = "/subscriptions/<tid>"
V3 = "/v3/subscriptions/<tid>"
