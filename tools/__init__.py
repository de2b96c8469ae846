"""What builds and checks the house; nothing here is part of the package."""
