"""What the tests share: one harness, one environment builder, one server start."""
