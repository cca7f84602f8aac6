"""Who stands where: the agglomeration's devices, each linked to its place."""
