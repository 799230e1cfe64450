"""Pages of crises, a module for each thing that people come for."""
