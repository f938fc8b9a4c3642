"""The parts of `microwamp.session.Session`, one role each."""
