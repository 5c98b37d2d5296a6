"""Sound, pictures and faces: reading, resampling, detection, landmarks, alignment."""
