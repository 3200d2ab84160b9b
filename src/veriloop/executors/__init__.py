"""Who computes: this process, several processes, or a cluster."""
