"""What is built: guns, power modules, matrix, times and wires; its faults; the file."""
