"""The hardware and software of a run: versions, device, memory."""
