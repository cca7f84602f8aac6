"""Time, sky, water and people of the demonstration, as pure functions of seed, time and what the story tells."""
