"""What the world is told of a project: webhooks, their secrets, and the courier that delivers."""
