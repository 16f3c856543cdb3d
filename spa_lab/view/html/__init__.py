"""Pages: text rows with bars in their cells, and the markup that makes untrusted text safe."""
