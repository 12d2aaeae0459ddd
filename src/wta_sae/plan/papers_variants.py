"""The variants that the paper compares: those of its Table 1, its figures and its conclusions."""

WTA = "wta"  # its own
BASELINES = ("batch_topk", "topk")
COMPARED_IN_PAPER = (WTA, *BASELINES)
