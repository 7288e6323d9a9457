"""The cameras and virtual cameras of this computer, and the programs that use them."""
