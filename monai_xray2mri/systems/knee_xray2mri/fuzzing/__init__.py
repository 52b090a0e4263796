"""Fuzzing: thousands of damaged and unusual studies, each of which must end in a result or a reasoned refusal."""
