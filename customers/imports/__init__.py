"""Files in: read as a stream, checked a batch at a time, merged in pieces that survive anything."""
