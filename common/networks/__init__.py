"""What the networks of several papers share: layers, losses, backbones with their published weights, training."""
