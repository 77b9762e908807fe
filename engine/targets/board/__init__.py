"""Real boards over a serial port: MLPerf Tiny's UART protocol, with our extensions where the firmware is ours."""
