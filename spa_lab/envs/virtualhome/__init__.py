"""The VirtualHome world: its graph engine, action templates and goals, flats of our own."""
