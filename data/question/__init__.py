"""What is asked: workspace, window, filters, place, and how a file is written; pure."""
