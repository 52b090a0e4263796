"""The feet on a photograph: cut out, told apart, turned into the frame that the networks know."""
