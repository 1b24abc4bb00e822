"""The whole installation: proof, backup, upgrade, sweeping."""
