"""What we run on: processes, CPUs, versions, and whether the machine is fit."""
