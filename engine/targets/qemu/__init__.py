"""QEMU as a target: MPS2 machines, our own plugin in its translator, and its debugger stub to drive the core."""
