"""Many races: planned, run in processes of their own, gone on with, and reported."""
