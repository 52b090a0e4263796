"""Who is simulated.

``seeds`` holds the disjoint ranges of seeds, ``grades`` draws the radiographic grades of a knee, ``participants`` the
people. ``oai_tables`` and ``readings`` write the tables that OAI has about them; ``table_oddities`` adds what is odd
in OAI's.
"""
