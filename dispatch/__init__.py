"""Who carries what: problems, travel, assignment, the rolling loop. Pure but for the solver."""
