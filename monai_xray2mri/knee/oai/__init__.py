"""Reader of the Osteoarthritis Initiative's release: radiographs, coronal T1 MR series and reading tables, joined."""
