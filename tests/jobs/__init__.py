"""Commands inside the tenant: the job, how it goes, its log, and who runs it."""
