"""A parametric face in front of a webcam: people, expression, geometry, canvas, painting, and the camera that films it."""
