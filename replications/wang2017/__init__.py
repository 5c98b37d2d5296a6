"""Wang and Hsu 2017: AST-Net, an attribute-based Siamese temporal network for real-time emotion recognition."""
