"""Lee, Kim, Kim, Sohn 2018: audio-visual attention networks for emotion recognition (AVSU'18)."""
