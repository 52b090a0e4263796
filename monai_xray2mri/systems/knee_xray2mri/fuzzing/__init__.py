"""Fuzzing: each of thousands of damaged and unusual studies must end in a valid result or in a refusal that says why."""
