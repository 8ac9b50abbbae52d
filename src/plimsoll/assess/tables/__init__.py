"""Tables held to their contracts: files of records, as they lie."""
