"""From the ledger to the label an item has, and what it tells of the voices."""
