"""The map of Bluetooth LE's weaknesses: what bad air does to presentations."""
