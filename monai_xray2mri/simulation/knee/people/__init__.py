"""The simulated participants.

``seeds`` holds the disjoint ranges of seeds. ``grades`` draws the radiographic grades of a knee, ``participants`` the
participants. ``oai_tables`` and ``readings`` write OAI's tables about them; ``table_oddities`` describes the
irregularities of OAI's real tables.
"""
