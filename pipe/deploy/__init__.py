"""The deploy itself: plan, sequence, rollback, and what a previous run left."""
