"""An NPU through its vendor's compiler: Arm's Vela estimates, we read and attribute its tables."""
