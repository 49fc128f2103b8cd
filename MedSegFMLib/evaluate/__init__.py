"""Models measured on labelled cases: protocol, runner and report."""
