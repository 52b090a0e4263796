"""What a network finds on a radiograph: the knee on the film, the probability of osteoarthritis."""
