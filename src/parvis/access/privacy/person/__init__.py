"""What is held of one person: found, given to them (GDPR Art. 15 and 20), erased (Art. 17)."""
