"""The devices' side of the wire: who speaks when, and how each way in is spoken."""
