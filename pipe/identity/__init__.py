"""Identity of a run: the step's identity token, the AWS role and the portal token."""
