"""How fast a volume of a knee is drawn: from the authors' loop to the machine's limit, rung by rung (docs/speed.md)."""
