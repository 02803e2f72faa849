"""Work on appraisal plans: in words, compared, and tried out on closed periods."""
