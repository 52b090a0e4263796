"""Studies of X-Diffusion, one module each: a function from setting and case to rows, its cost, and its tables."""
