"""Who is simulated: seeds, grades, participants, tables."""
