"""The network: implicit filter, Hyena operator, backbone, heads, and checkpoints of all kinds."""
