"""The health check: is the data fit for the project, before anybody commits to it."""
