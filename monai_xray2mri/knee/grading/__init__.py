"""The 19 radiographic features of a knee: their names, codes, files and structured reports."""
