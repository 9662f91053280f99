"""From alarmed slices to the few causes that explain them."""
