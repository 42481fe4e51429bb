"""The machine and software under a run: versions, device, memory."""
