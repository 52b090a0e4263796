"""The studies of an evaluation, one module each: methods and knees to rows, rows to tables and figures."""
