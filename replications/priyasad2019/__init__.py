"""Priyasad, Fernando, Denman, Sridharan, Fookes 2019: voice activity, VGG19, LSTM and attention fusion."""
