"""A batch's sparse codes as training sees them, in a form for each kind of device, and how winners are found."""
