"""Damaged and unusual studies in number: every one must end in a valid result or in a refusal that says why."""
