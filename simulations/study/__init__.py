"""What runs of the city say together: metrics, paired differences, intervals, decomposition, sensitivity."""
